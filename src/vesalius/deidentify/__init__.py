"""De-identification: identities out of DICOM, NIfTI, pictures and side-cars, and a report of what was done to what."""
