"""PNG bytes of a study's key slice, windowed as a radiologist would look at it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow

from vesalius.core.image import Array

WINDOW_HU = (-140.0, 260.0)


def windowed(hu: Array) -> Array:
    """HU to uint8 through WINDOW_HU: its lower end is 0, its upper 255."""
    low, high = WINDOW_HU
    return np.asarray(np.rint(np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8))


def png(plane: Array) -> bytes:
    """Grey PNG of `(Y, X)` uint8; the patient's right lies on the left, the front on top."""
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(plane)).save(buffer, "PNG")
    return buffer.getvalue()
