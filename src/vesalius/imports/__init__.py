"""Imports: models that others trained, as ordinary bundles; nothing of their files is run."""
