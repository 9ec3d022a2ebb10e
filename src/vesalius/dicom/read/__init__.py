"""DICOM objects as images, masks and texts."""
