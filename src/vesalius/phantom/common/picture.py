"""PNG bytes of a plane, the same on every run."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow

from vesalius.core.image import Array


def png(plane: Array) -> bytes:
    """Return a grey PNG of `(Y, X)` uint8."""
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(plane)).save(buffer, "PNG")
    return buffer.getvalue()
