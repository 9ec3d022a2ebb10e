"""What is known of a file before its pixels are decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vesalius.core.image import Array, Forms, Triple


@dataclass(frozen=True, eq=False, kw_only=True)
class Header:
    """Shape and geometry of what `formats.read` would return.

    `shape` is `(Z, Y, X)`, `channels` and `frames` are counts (C and T; `frames` is 1 without `times_s`), `dtype` is
    numpy's name of the pixels as `read` gives them. `items` is the length of the first axis of a
    container's array (how many pictures an npz member may hold). Geometry as in Image: `affine` maps index
    `(x, y, z)` to LPS millimetres; `spacing_mm` is `(x, y, z)`; either may be None. `unit`, `body_part`, `sequence` and
    `display` as in Image; `forms` is the place as a NIfTI header says it, as in Source.
    """

    shape: tuple[int, int, int]
    dtype: str
    channels: int = 1
    frames: int = 1
    times_s: tuple[float, ...] | None = None
    items: int = 1
    affine: Array | None = None
    spacing_mm: Triple | None = None
    spacing_at: Literal["patient", "detector"] | None = None
    modality: str | None = None
    unit: str | None = None
    body_part: str | None = None
    sequence: str | None = None
    display: Mapping[str, Any] = field(default_factory=dict)
    forms: Forms | None = None
