"""Which cases to look at, and which slice of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array, Image

SOFT_TISSUE = (-160.0, 240.0)  # HU


@dataclass(frozen=True, eq=False)
class Slice:
    """One case to look at: a slice `(Y, X)` or `(Y, X, 3)`, and label values `(Y, X)` of truth and answer.

    `z` is its place among the slices. `aspect` is the height of a pixel over its width; `window` what is drawn black
    and white, by default the values that all but one in a hundred pixels lie between. `title` names the case,
    `caption` says how well it went. `layer` is what is drawn over all of the slice, in red, green, blue and opacity,
    `(rows, columns, 4)`, of any size. `beside` are pictures of the case by what they are, `(H, W, 3)` bytes.
    """

    image: Array
    title: str
    caption: str = ""
    truth: Array | None = None
    answer: Array | None = None
    z: int = 0
    aspect: float = 1.0
    window: tuple[float, float] | None = None
    layer: Array | None = None
    beside: tuple[tuple[str, Array], ...] = ()


def look(
    image: Image,
    title: str,
    *,
    caption: str = "",
    truth: Image | None = None,
    answer: Image | None = None,
    z: int | None = None,
) -> Slice:
    """Return the slice across z on which truth and answer disagree most, or `z`; where they agree, the fullest.

    Three channels of 8 or 16 bits are shown as colours, otherwise the first channel is, Hounsfield units in a
    window for soft tissue. Only one plane is copied.
    """
    array = image.array if image.times_s is None else image.array[0]
    z = _telling(array.shape[1], truth, answer) if z is None else z
    plane = array[:, z]
    colour = plane.shape[0] == 3 and plane.dtype.kind == "u"
    shown = np.moveaxis(plane, 0, -1) if colour else plane[0]
    across, down = (image.spacing_mm or (1.0, 1.0, 1.0))[:2]
    return Slice(
        image=np.array(shown),
        title=title,
        caption=caption,
        truth=None if truth is None else plane_of(truth, z),
        answer=None if answer is None else plane_of(answer, z),
        z=z,
        aspect=down / across,
        window=SOFT_TISSUE if image.unit == "HU" and not colour else None,
    )


def _telling(depth: int, truth: Image | None, answer: Image | None) -> int:
    fields = [f.array for f in (truth, answer) if f is not None]
    if not fields or depth == 1:
        return depth // 2
    differ: Sequence[int] = [0]
    if len(fields) == 2:
        differ = [int((fields[0][:, z] != fields[1][:, z]).sum()) for z in range(depth)]
    if not any(differ):
        differ = [int((fields[0][:, z] != 0).sum()) for z in range(depth)]
    return int(np.argmax(differ)) if any(differ) else depth // 2


def plane_of(field: Image, z: int) -> Array:
    """Return label values `(Y, X)` of one plane; overlapping bits become 1, 2, …, later ones on top."""
    plane = field.array[:, z]
    if plane.shape[0] == 1:
        return np.array(plane[0])
    flat = np.zeros(plane.shape[1:], dtype=np.int64)
    for k, bits in enumerate(plane, start=1):
        flat[bits != 0] = k
    return flat
