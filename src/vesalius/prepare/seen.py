"""What is seen of an image before a model answers it: its size, spacing and reach of values, and what is declared."""

from __future__ import annotations

import re

import numpy as np

from vesalius.core.case import Case
from vesalius.core.image import Array, Image, Triple
from vesalius.core.learned import Seen
from vesalius.core.modalities import of_channel, of_code
from vesalius.formats import Header
from vesalius.prepare.case import frame
from vesalius.prepare.geometry import orientation

SAMPLE = 20_000
_QUICK = 5_000  # points are enough for a glance at each frame of a cine
_BODY_PART = re.compile(r"^[A-Z0-9][A-Z0-9 _-]{0,15}$")  # a code string of DICOM (PS3.5 6.2)


def look(case: Case, image: Image, *, seed: int = 0) -> Seen:
    """Return what is seen of a case's reference image; its values on a random sample of its pixels."""
    array = image.array[0] if image.times_s is not None else frame(image)
    darkest, brightest = reach(sample(array, np.random.default_rng(seed), _QUICK))
    size, spacing = canonical(image)
    modality, unit = modality_of(image, case.declared), unit_of(image, case.declared)
    return Seen(size, spacing, darkest, brightest, modality, unit, body_part_of(image), image.sequence)


def glance(header: Header, declared: tuple[str, ...]) -> Seen:
    """Return what a file's header shows of its image, its values unread."""
    size, spacing = canonical(header)
    modality, unit = modality_of(header, declared), unit_of(header, declared)
    return Seen(size, spacing, None, None, modality, unit, body_part_of(header), header.sequence)


def canonical(image: Image | Header) -> tuple[tuple[int, int, int], Triple | None]:
    """Return an image's size `(Z, Y, X)` and spacing `(x, y, z)` in the nearest canonical axes."""
    order, _ = orientation(image.affine)
    z, y, x = (image.shape[a] for a in order)
    if image.spacing_mm is None:
        return (z, y, x), None
    zyx = image.spacing_mm[::-1]
    return (z, y, x), (zyx[order[2]], zyx[order[1]], zyx[order[0]])


def sample(array: Array, generator: np.random.Generator, most: int = SAMPLE) -> Array:
    """Return the values of random points of `(C, Z, Y, X)`: `(C, N)` of float64."""
    flat = array.reshape(array.shape[0], -1)
    pick = generator.integers(0, flat.shape[1], min(most, flat.shape[1]))
    return flat[:, pick].astype(np.float64)


def reach(values: Array) -> tuple[float, float]:
    """Return the 0.5th and the 99.5th percentile of what is finite, 0 and 0 where nothing is."""
    good = values[np.isfinite(values)]
    if not good.size:
        return 0.0, 0.0
    low, high = np.percentile(good, (0.5, 99.5))
    return float(low), float(high)


def modality_of(image: Image | Header, declared: tuple[str, ...]) -> str | None:
    """Return the modality that an image's file declares, or else the author of the data; alike ones have one code."""
    found = of_code(image.modality)
    return found or next((m for m in map(of_channel, declared) if m is not None), None)


def unit_of(image: Image | Header, declared: tuple[str, ...]) -> str | None:
    """Return an image's unit; what the author of the data calls a CT is in Hounsfield units."""
    if image.unit is None and image.modality is None and {of_channel(d) for d in declared} == {"CT"}:
        return "HU"
    return image.unit


def body_part_of(image: Image | Header) -> str | None:
    """Return the part of the body that was examined, where its file says so in a code of DICOM's form."""
    found = (image.body_part or "").strip().upper()
    return found if _BODY_PART.match(found) else None
