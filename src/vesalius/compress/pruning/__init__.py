"""Pruning: which filters, neurons and blocks can be removed from a model, which matter least, and what is left."""
