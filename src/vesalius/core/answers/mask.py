"""Mask: which label each voxel of an image has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from vesalius.core.answers import ImageAnswer
from vesalius.core.cohort import Label
from vesalius.core.shown import some

DICOM = "dicom_seg"


@dataclass(frozen=True, eq=False, kw_only=True)
class Mask(ImageAnswer):
    """Labels on the grid of the reference image, in its geometry and with the data's own label values.

    `image.array` is `(1, Z, Y, X)` of integers; where labels may overlap it is `(K, Z, Y, X)` of bits, one
    plane a label, and `overlapping` is True.
    """

    holds: ClassVar[Literal["labels", "values", "picture"]] = "labels"
    labels: tuple[Label, ...]
    overlapping: bool = False

    def _holds(self) -> Iterable[str]:
        yield f"labels: {some((x.name for x in self.labels), len(self.labels))}"
