"""A case cut to a box of its reference image: the box around a mask, and all that lies inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.case import Case, Ref
from vesalius.core.image import Array, Image
from vesalius.core.parts import image_in
from vesalius.prepare.case import load

Corner = tuple[int, ...]


def box_around(mask: Array, reference: Image, margin_mm: float) -> tuple[Corner, Corner]:
    """Return the index box `(Z, Y, X)` of what is True, with a margin in mm (or pixels); all where nothing is."""
    return with_margin(*bounds(mask), reference, margin_mm)


def bounds(mask: Array) -> tuple[Corner, Corner]:
    """Return the index box `(Z, Y, X)` of what is True; a box without extent where nothing is."""
    where = np.nonzero(mask)
    if not len(where[0]):
        return (0, 0, 0), (0, 0, 0)
    return tuple(int(w.min()) for w in where), tuple(int(w.max()) + 1 for w in where)


def with_margin(
    low: Sequence[int], high: Sequence[int], reference: Image, margin_mm: float
) -> tuple[Corner, Corner]:
    """Return an index box with a margin in mm (or pixels) inside of an image; all of it where the box has no extent."""
    if not all(b > a for a, b in zip(low, high, strict=True)):
        return (0, 0, 0), reference.shape
    spacing = reference.spacing_mm or (1.0, 1.0, 1.0)
    pad = [int(np.ceil(margin_mm / s)) for s in reversed(spacing)]
    wider = [max(0, int(a) - p) for a, p in zip(low, pad, strict=True)]
    ends = [min(n, int(b) + p) for b, p, n in zip(high, pad, reference.shape, strict=True)]
    return tuple(wider), tuple(ends)


def in_memory(case: Case, reference: Image) -> Case:
    """Return a case with all of its images read, so that none is decoded twice."""
    images = {n: reference if n == case.reference else load(item) for n, item in case.images.items()}
    return replace(case, images=images)


def crop_case(case: Case, reference: Image, low: Sequence[int], high: Sequence[int]) -> Case:
    """Return a case whose reference image, all on its grid and its prompts are cropped to a box of it."""
    images: dict[str, Ref | Image] = {}
    for name, item in case.images.items():
        image = reference if name == case.reference else load(item)
        images[name] = image_in(image, low, high) if image.shape == reference.shape else image
    z, y, x = low
    prompts = tuple(
        replace(p, points=tuple((a - z, b - y, c - x) for a, b, c in p.points)) for p in case.prompts
    )
    return replace(case, images=images, prompts=prompts)
