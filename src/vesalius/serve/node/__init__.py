"""The DICOM node: it receives studies, keeps them in a durable queue, answers them, and sends the results back."""
