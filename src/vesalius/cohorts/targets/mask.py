"""A mask: which label each voxel of the image has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from vesalius.cohorts.targets._aligning import aligned
from vesalius.cohorts.targets.contract import Row, TargetKind
from vesalius.core.case import Ref, Target
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image

ROLES = ("mask",)
ORDER = 30


class DrawnMask(TargetKind):
    """A value is where the mask lies, or the mask itself."""

    name: ClassVar[str] = "mask"
    drawn: ClassVar[bool] = True

    def given(self, value: Any, *, classes: Sequence[str], image: Image) -> Image | None:
        """Return whole label values on the grid of the image. Raises DataError for another grid, or other numbers."""
        if not isinstance(value, np.ndarray) or value.ndim < 2:
            return None
        if value.size != int(np.prod(image.shape)) or tuple(n for n in value.shape if n > 1) != tuple(
            n for n in image.shape if n > 1
        ):
            raise DataError(
                "a mask has the axes of its image, without channels",
                found=f"shape {value.shape} on an image of (Z, Y, X) {image.shape}",
            )
        whole = value.astype(np.int32)
        if not np.array_equal(whole, value):
            raise DataError("a mask holds whole label values", found=f"{value.min():g} to {value.max():g}")
        kind = np.uint8 if whole.min() >= 0 and whole.max() < 256 else np.int32
        array = whole.astype(kind).reshape(1, *image.shape)
        return replace(image, array=array, channels=(), unit=None)

    def parsed(self, cell: str, row: Row) -> Ref:
        """Return the file that a cell names."""
        return row.file(cell, "mask")

    def nothing_to_learn(self, info: TargetInfo, held: Sequence[Target]) -> tuple[str, str] | None:
        """Return that no mask holds a label, where that is so."""
        return None if info.labels else ("only the background, 0, in every mask", "other masks")

    def assert_learned(self, info: TargetInfo, learned: Sequence[str]) -> None:
        """Raise nothing: labels are matched once the masks' values are known, by `aligned`."""

    def aligned(self, cohort: Cohort, target: str, learned: Sequence[Label]) -> Cohort:
        """Return the cohort with its masks in the values of the labels in `learned`.

        Raises DataError where none of the labels was learned.
        """
        return aligned(cohort, target, learned)


KIND = DrawnMask()
