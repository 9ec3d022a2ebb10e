"""Values: what numbers, units, codes and colours mean in DICOM."""
