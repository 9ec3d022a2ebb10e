"""A mask: which label each voxel of the image has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from vesalius.cohorts.targets._aligning import aligned
from vesalius.cohorts.targets.contract import Row, TargetKind
from vesalius.core.case import Ref, Target
from vesalius.core.cohort import Cohort, Label, TargetInfo

ROLES = ("mask",)
ORDER = 30


class DrawnMask(TargetKind):
    """A value is where the mask lies, or the mask itself."""

    name: ClassVar[str] = "mask"
    drawn: ClassVar[bool] = True

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
