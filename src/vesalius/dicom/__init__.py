"""DICOM, the standard: its bytes, which files make one image, what values mean, and results written as its objects."""
