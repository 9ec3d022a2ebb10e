"""What a treatment changes: effects, whom they reach, and how far that may be believed. Numpy and scipy only."""
