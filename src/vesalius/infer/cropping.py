"""A stage that looks only where an earlier stage's mask is: the box around it, what lies inside, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.case import Case, Ref
from vesalius.core.errors import BundleError
from vesalius.core.image import Array, Image
from vesalius.prepare.case import load

Corner = tuple[int, ...]


def box_of(found: Answer, reference: Image, *, how: str, margin_mm: float) -> tuple[Corner, Corner]:
    """Return the box of what an earlier stage found, with a margin. Raises BundleError for an answer without places."""
    where = contract.of(found).found(found) if how == "crop" else None
    if where is None:
        raise BundleError(f"a stage that takes '{how}' of an earlier one is not known")
    return box_around(where, reference, margin_mm)


def box_around(mask: Array, reference: Image, margin_mm: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the index box `(Z, Y, X)` of what is True, with a margin in mm (or pixels); all where nothing is."""
    where = np.nonzero(mask)
    if not len(where[0]):
        return (0, 0, 0), reference.shape
    spacing = reference.spacing_mm or (1.0, 1.0, 1.0)
    pad = [int(np.ceil(margin_mm / s)) for s in reversed(spacing)]
    low = tuple(max(0, int(w.min()) - p) for w, p in zip(where, pad, strict=True))
    high = tuple(min(n, int(w.max()) + 1 + p) for w, p, n in zip(where, pad, reference.shape, strict=True))
    return low, high


def crop_image(image: Image, low: Sequence[int], high: Sequence[int]) -> Image:
    """Return the part of an image in an index box `(Z, Y, X)`, its affine moved along."""
    z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
    array = image.array[..., z, y, x]
    if image.affine is None:
        return replace(image, array=array)
    shift = np.eye(4)
    shift[:3, 3] = list(low)[::-1]
    return replace(image, array=array, affine=image.affine @ shift)


def in_memory(case: Case, reference: Image) -> Case:
    """Return a case with all of its images read, so that none is decoded twice."""
    images = {n: reference if n == case.reference else load(item) for n, item in case.images.items()}
    return replace(case, images=images)


def crop_case(case: Case, reference: Image, low: Sequence[int], high: Sequence[int]) -> Case:
    """Return a case whose reference image, all on its grid and its prompts are cropped to a box of it."""
    images: dict[str, Ref | Image] = {}
    for name, item in case.images.items():
        image = reference if name == case.reference else load(item)
        images[name] = crop_image(image, low, high) if image.shape == reference.shape else image
    z, y, x = low
    prompts = tuple(
        replace(p, points=tuple((a - z, b - y, c - x) for a, b, c in p.points)) for p in case.prompts
    )
    return replace(case, images=images, prompts=prompts)
