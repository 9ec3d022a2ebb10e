"""A number: an age, a volume, a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from vesalius.cohorts._roles import distinct, is_number, may_be_codes
from vesalius.cohorts._units import unit_of
from vesalius.cohorts.targets._strata import by_fifth
from vesalius.cohorts.targets.contract import Columns, Row, TargetKind
from vesalius.core.case import Target
from vesalius.core.cohort import Question, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.words import counted

ROLES = ("value",)
ORDER = 20


class Number(TargetKind):
    """A value is a float."""

    name: ClassVar[str] = "number"
    in_every_fold: ClassVar[bool] = False

    def describe(self, column: str, columns: Columns, notes: list[str]) -> TargetInfo:
        """Return the target. Raises DataError where a cell is not a number."""
        cells = columns.table[column]
        if not is_number(cells):
            odd = next((cell for cell in distinct(cells) if not is_number([cell])), "")
            raise DataError(
                f"column '{column}' must hold numbers",
                found=f"'{odd}'",
                hint="an empty cell where none is known",
            )
        return TargetInfo(column, self.name, (), columns.reasons[column], unit=unit_of(column))

    def question(self, column: str, columns: Columns) -> Question | None:
        """Return the question whether these are numbers or codes of classes, where nobody said and both may be."""
        cells = columns.table[column]
        if not may_be_codes(cells):
            return None
        return Question(
            column,
            f"'{column}' may hold numbers, or codes of classes",
            f"{len(distinct(cells))} different whole numbers in {counted(len(cells), 'row')}",
            f"--column value={column} if they are numbers, --column label={column} if each is a class",
        )

    def parsed(self, cell: str, row: Row) -> float:
        """Return the number in a cell."""
        return float(cell)

    def given(self, value: Any, *, classes: Sequence[str], image: Image) -> float | None:
        """Return a number, whole or not."""
        found = isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iuf"
        return float(value) if found else None

    def strata(self, values: Mapping[str, Target]) -> dict[str, str]:
        """Return in which fifth of all cases each lies."""
        return by_fifth({case: n for case, v in values.items() if (n := self.number_of(v)) is not None})

    def number_of(self, value: Target) -> float | None:
        """Return the number."""
        return float(value) if isinstance(value, int | float) else None

    def word(self, value: Target) -> str | None:
        """Return the number in six digits."""
        number = self.number_of(value)
        return None if number is None else f"{number:g}"


KIND = Number()
