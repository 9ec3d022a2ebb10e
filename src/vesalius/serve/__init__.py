"""The servers: an HTTP service with a viewer, and a DICOM node. Both answer with bundles, whatever their task."""
