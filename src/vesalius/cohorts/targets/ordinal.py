"""One grade of several that have an order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from vesalius.cohorts._grading import in_order, labels_in, question
from vesalius.cohorts._roles import distinct
from vesalius.cohorts.targets._named import OneName
from vesalius.cohorts.targets.contract import Columns, Row
from vesalius.core.cohort import Question, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.words import listed

ROLES = ("grade",)
ORDER = 10
_WHOLE = re.compile(r"([+-]?\d+)\.0+")  # as programs write whole numbers where cells of a column are empty


class Ordinal(OneName):
    """A value is the name of a grade; the labels stand in order, the lowest first.

    The order is that of the numbers in the names, else what a person says (`cohorts/_grading.py`). Half grades (2.5)
    are grades of their own. A grade that no case has is one where the order that a person says names it.
    """

    name: ClassVar[str] = "ordinal"
    ordered: ClassVar[bool] = True
    asks_anyway: ClassVar[bool] = True

    def describe(self, column: str, columns: Columns, notes: list[str]) -> TargetInfo:
        """Return the target with its grades in order, where their names tell it."""
        names = _names(column, columns)
        order = in_order(names)
        if order is not None:
            notes.append(f"{column}: grades in the order of their numbers, {' < '.join(order)}")
            notes += _remarks(column, order)
        return TargetInfo(column, self.name, labels_in(order or names), columns.reasons[column])

    def question(self, column: str, columns: Columns) -> Question | None:
        """Return the question in which order the grades stand, where their names do not tell it."""
        names = _names(column, columns)
        return question(column, names) if in_order(names) is None else None

    def parsed(self, cell: str, row: Row) -> str:
        """Return the name of the grade; `2.0` is `2`."""
        return _grade(cell)

    def assert_learned(self, info: TargetInfo, learned: Sequence[str]) -> None:
        """Raise DataError where the data have a grade that a bundle did not learn, or grades in another order."""
        super().assert_learned(info, learned)
        own = [x.name for x in info.labels]
        if learned and own != [name for name in learned if name in own]:
            raise DataError(
                f"the grades of target '{info.name}' stand in another order than the bundle learned",
                found=f"{listed(own)}; it learned {listed(learned)}",
                hint=f"--labels '{info.name}={'<'.join(learned)}', where the names mean the same",
            )


def _grade(cell: str) -> str:
    match = _WHOLE.fullmatch(cell.strip())
    return match[1] if match else cell


def _names(column: str, columns: Columns) -> list[str]:
    return list(dict.fromkeys(map(_grade, distinct(columns.table[column]))))


def _remarks(column: str, order: Sequence[str]) -> list[str]:
    """Return what is worth knowing of grades that are numbers: halves among them, and whole ones that no case has."""
    try:
        numbers = [float(name) for name in order]
    except ValueError:
        return []
    found = []
    if halves := [name for name, n in zip(order, numbers, strict=True) if not n.is_integer()]:
        found.append(
            f"{column}: {listed(halves, 4)} are grades of their own; --labels {halves[0]}=GRADE joins one to another"
        )
    whole = {int(n) for n in numbers if n.is_integer()}
    lost = [str(n) for n in range(min(whole, default=0), max(whole, default=0)) if n not in whole]
    if lost and len(lost) <= len(whole):
        told = "<".join(sorted({*order, *lost}, key=float))
        found.append(
            f"{column}: no case has {listed(lost, 4)}; --labels '{column}={told}' makes it a grade that may be called"
        )
    return found


KIND = Ordinal()
