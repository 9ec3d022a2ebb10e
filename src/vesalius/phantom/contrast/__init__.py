"""Contrast that arrives in a slice of a liver: how much of it is where over time, and how that is shown."""
