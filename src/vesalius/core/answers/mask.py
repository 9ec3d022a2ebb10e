"""Mask: which label each voxel of an image has."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.cohort import Label
from vesalius.core.image import Image


@dataclass(frozen=True, eq=False, kw_only=True)
class Mask(Answer):
    """Labels on the grid of the reference image, in its geometry and with the data's own label values.

    `image.array` is `(1, Z, Y, X)` of integers; where labels may overlap it is `(K, Z, Y, X)` of bits, one
    plane a label, and `overlapping` is True.
    """

    image: Image
    labels: tuple[Label, ...]
    overlapping: bool = False
