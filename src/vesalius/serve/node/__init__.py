"""The DICOM node: studies come in, wait in a durable queue, are answered by bundles, and results go back."""
