"""The grey values of a CT slice, windowed as a radiologist would look at the abdomen."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array

WINDOW_HU = (-140.0, 260.0)


def windowed(hu: Array) -> Array:
    """Return uint8 for HU through WINDOW_HU: its lower end is 0, its upper 255."""
    low, high = WINDOW_HU
    return np.asarray(np.rint(np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8))
