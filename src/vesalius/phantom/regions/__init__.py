"""Regions of a brain whose signals run along two streams: in which order, and what an optimal answer makes of them."""
