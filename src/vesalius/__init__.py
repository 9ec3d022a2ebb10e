"""Large models for medical images: from a folder of studies to a validated, explained, deployable model."""
