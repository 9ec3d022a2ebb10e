"""One class of several that exclude one another, without an order."""

from __future__ import annotations

from typing import ClassVar

from vesalius.cohorts._build import class_labels
from vesalius.cohorts._roles import distinct
from vesalius.cohorts.targets._named import OneName
from vesalius.cohorts.targets.contract import Cells, Columns
from vesalius.core.cohort import TargetInfo

ROLES = ("label",)
ORDER = 10
CALLED = (
    r"(labels?|class(es)?|diagnos[ie]s|dx|target|category|grade|outcome|findings?([ _.-]?labels?)?|pathology|"
    r"y|malignan(t|cy)|disease|type|level|stage)([ _.-]?(id|name|code|label))?"
)


class Class(OneName):
    """A value is the name of a class."""

    name: ClassVar[str] = "class"

    def fits(self, cells: Cells) -> float:
        """Return that any column of labels may hold classes."""
        return 0.5

    def describe(self, column: str, columns: Columns, notes: list[str]) -> TargetInfo:
        """Return the target, with a label for each different cell."""
        labels = class_labels(distinct(columns.table[column]))
        return TargetInfo(column, self.name, labels, columns.reasons[column])


KIND = Class()
