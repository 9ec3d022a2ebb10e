"""A part designed for a defect: what is missing by a model, by mirroring or by the other side; its files and its page."""
