"""How likely one label is, as several experts have it together: of a case, or of each voxel of its image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from vesalius.cohorts._roles import is_number
from vesalius.cohorts.targets.contract import Columns, Row, TargetKind
from vesalius.core.case import Ref, Target
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image

ROLES = ("soft",)
ORDER = 90
CALLED = r"p\(.+\)"
FILES = True  # a cell may name a file


class Soft(TargetKind):
    """A value is a probability, or where a map lies that holds 0 (surely not) to 255 (surely) at each voxel.

    The column is called `p(LABEL)`. It says more of the target whose label that is, and is not learned by itself.
    """

    name: ClassVar[str] = "soft"
    in_every_fold: ClassVar[bool] = False
    beside: ClassVar[bool] = True

    def describe(self, column: str, columns: Columns, notes: list[str]) -> TargetInfo:
        """Return the target with the one label that its column is called by."""
        label = column.strip()[2:-1] if column.strip().casefold().startswith("p(") else column
        return TargetInfo(column, self.name, (Label(1, label),), columns.reasons[column])

    def parsed(self, cell: str, row: Row) -> float | Ref:
        """Return the probability in a cell, or the file that it names. Raises DataError."""
        if not is_number([cell]):
            return row.file(cell, "map of probabilities")
        if not 0 <= float(cell) <= 1:
            raise DataError("a probability lies between 0 and 1", found=cell)
        return float(cell)

    def given(self, value: Any, *, classes: Sequence[str], image: Image) -> None:
        """Return nothing: items bring no probabilities."""
        return

    def number_of(self, value: Target) -> float | None:
        """Return the probability of a case."""
        return float(value) if isinstance(value, int | float) else None


KIND = Soft()
