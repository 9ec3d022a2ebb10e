"""The parts of the PET phantom in `phantom/pet.py`: a body with a tracer, its scan, and the rule of its quality."""
