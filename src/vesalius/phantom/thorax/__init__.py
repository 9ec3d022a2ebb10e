"""The chest in a radiograph: its anatomy as thicknesses, what is found in it, the film and the report."""
