"""Pixels of DICOM: frames of one file, decoded."""
