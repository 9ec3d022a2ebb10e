"""Shapes: surfaces of masks, models of anatomies, and what is designed from them."""
