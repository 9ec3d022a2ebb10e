"""What listens: an HTTP service with a viewer, and a DICOM node; both answer with bundles and know no task."""
