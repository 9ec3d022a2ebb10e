"""Series: which files and frames make one image, and in which order and place."""
