"""Results as DICOM objects in the study of their source."""
