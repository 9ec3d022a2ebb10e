"""Pixels made comparable: orient, resample, normalise, augment; and the way back. The one preprocessing there is."""
