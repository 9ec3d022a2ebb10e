"""Several labels that may hold together, or none of them."""

from __future__ import annotations

from typing import ClassVar

from vesalius.cohorts._build import class_labels
from vesalius.cohorts._roles import distinct, is_list, parts
from vesalius.cohorts.targets._named import Named
from vesalius.cohorts.targets.contract import Cells, Columns, Row
from vesalius.core.cohort import TargetInfo

ROLES = ("label",)
ORDER = 10


class Multilabel(Named):
    """A value is a tuple of names."""

    name: ClassVar[str] = "multilabel"
    several: ClassVar[bool] = True

    def fits(self, cells: Cells) -> float:
        """Return that a column holds several labels where some cell lists several names."""
        return 1.0 if is_list(cells) else 0.0

    def describe(self, column: str, columns: Columns, notes: list[str]) -> TargetInfo:
        """Return the target, with a label for each name in any cell."""
        labels = class_labels([n for c in distinct(columns.table[column]) for n in parts(c)])
        return TargetInfo(column, self.name, labels, columns.reasons[column])

    def parsed(self, cell: str, row: Row) -> tuple[str, ...]:
        """Return the names in a cell."""
        return parts(cell)


KIND = Multilabel()
