"""PNG bytes of a plane, grey, in colour or with 16 bits, the same on every run."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow

from vesalius.core.image import Array


def png(plane: Array) -> bytes:
    """Return a grey PNG of `(Y, X)` uint8, or one in colour of `(Y, X, 3)`."""
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(plane)).save(buffer, "PNG")
    return buffer.getvalue()


def png_ids(plane: Array) -> bytes:
    """Return a grey PNG with 16 bits a pixel of `(Y, X)` uint16."""
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(plane, dtype=np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()
