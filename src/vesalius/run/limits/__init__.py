"""Limits of time, memory and energy that are kept by whatever runs inside them, and what was used of each."""
