"""The parts of the abdominal CT in `phantom/ct.py`: a person, an anatomy, lesions, a scan, readers and an outcome."""
