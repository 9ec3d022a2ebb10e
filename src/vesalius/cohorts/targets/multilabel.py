"""Several labels that may hold together, or none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from vesalius.cohorts._build import class_labels
from vesalius.cohorts._roles import distinct, is_list, parts
from vesalius.cohorts.targets._named import Named, class_name
from vesalius.cohorts.targets.contract import Cells, Columns, Row
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.words import counted

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

    def given(self, value: Any, *, classes: Sequence[str], image: Image) -> tuple[str, ...] | None:
        """Return several names, or those of the ones in a row of zeros and ones. Raises DataError."""
        if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            return tuple(value)
        if not (isinstance(value, np.ndarray) and value.ndim == 1 and np.isin(value, (0, 1)).all()):
            return None
        if classes and len(classes) != len(value):
            raise DataError(
                "each place of a row of zeros and ones needs a name",
                found=f"{counted(len(value), 'place')}, {counted(len(classes), 'name')}",
            )
        return tuple(class_name(int(k), classes) for k in np.flatnonzero(value))

    def parsed(self, cell: str, row: Row) -> tuple[str, ...]:
        """Return the names in a cell."""
        return parts(cell)


KIND = Multilabel()
