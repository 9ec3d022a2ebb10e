"""What listens: a DICOM node that takes studies in, answers them with bundles, and sends the results back."""
