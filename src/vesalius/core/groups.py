"""Groups: which group a case belongs to, by a column: a word as it stands, or the band that a number lies in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.words import listed

GROUP = "group"  # the column of a case's own `group`, such as a site or a scanner
AGES = (18.0, 40.0, 65.0, 80.0)  # years from which a band of ages begins
BY_DEFAULT = (
    "sex",
    "gender",
    "age",
    "ethnicity",
    "race",
    "group",
    "scanner",
    "manufacturer",
)  # columns of people
FEW_CODES = 6  # whole numbers that are at most so many are taken for codes
_BANDS = 3


@dataclass(frozen=True)
class Grouping:
    """How cases are grouped by a column.

    `bounds` are the numbers from which a band begins, for a column of numbers; without them each value is a group of
    its own. It follows from some cases and is then applied to others, so that a band is the same for both.
    """

    column: str
    bounds: tuple[float, ...] = ()

    def of(self, case: Case) -> str | None:
        """Return the group of a case; None where it is not known."""
        value = value_of(case, self.column)
        if value is None:
            return None
        if not self.bounds:
            return f"{value:g}" if isinstance(value, float | int) else value
        if isinstance(value, str):
            return None
        k = bisect_right(self.bounds, value)
        low = f"{self.bounds[k - 1]:g}" if k else ""
        high = f"{self.bounds[k]:g}" if k < len(self.bounds) else ""
        return f"{low} to below {high}" if low and high else f"below {high}" if high else f"from {low}"

    def json(self) -> dict[str, Any]:
        """Return the grouping as plain data."""
        return asdict(self)


def parse(data: Mapping[str, Any]) -> Grouping:
    """Return a grouping from its plain data. Raises KeyError, TypeError or ValueError where it is none."""
    return Grouping(str(data["column"]), tuple(float(b) for b in data["bounds"]))


def grouping(cases: Sequence[Case], column: str) -> Grouping:
    """Return how cases are grouped by a column.

    Words and few whole numbers are groups as they stand; ages in years lie in bands from 18, 40, 65 and 80 on; other
    numbers lie in three bands that hold as many of these cases each. Raises DataError where no case has the column.
    """
    values = [v for case in cases if (v := value_of(case, column)) is not None]
    if not values:
        there = sorted({name for case in cases for name in case.covariates})
        there += [GROUP] if any(case.group is not None for case in cases) else []
        raise DataError(
            f"no case has a column '{column}' to group by",
            found=listed(there, 12) or "no columns beside image and target",
            hint=f"--by {there[0]}" if there else "a table that has the column",
        )
    numbers = sorted(float(v) for v in values if not isinstance(v, str))
    if len(numbers) < len(values):
        return Grouping(column)
    if column.lower().split("_")[0] == "age":
        return Grouping(column, AGES)
    if len(set(numbers)) <= FEW_CODES and all(n.is_integer() for n in numbers):
        return Grouping(column)
    cuts = {numbers[len(numbers) * k // _BANDS] for k in range(1, _BANDS)}
    return Grouping(column, tuple(sorted(cuts - {numbers[0]})))


def fitted_for(calibration: Mapping[str, Any], case: Case) -> Mapping[str, Any]:
    """Return a calibration as it holds for a case: with the thresholds of its group, where these were fitted.

    A case whose group is not known, or had too few validation cases, has those of all cases together.
    """
    fitted = calibration.get("groups")
    if not fitted:
        return calibration
    own = fitted["thresholds"].get(parse(fitted["grouping"]).of(case))
    return calibration if own is None else {**calibration, "thresholds": {**calibration["thresholds"], **own}}


def known_columns(cases: Sequence[Case]) -> list[str]:
    """Return the columns that cases are grouped by unless somebody names others: those of `BY_DEFAULT` with two values.

    A unit behind the name does not count: `age_years` is an age.
    """
    names = list(dict.fromkeys(name for case in cases for name in case.covariates))
    names += [GROUP] if GROUP not in names else []
    of_people = [n for n in names if n.lower() in BY_DEFAULT or n.lower().split("_")[0] == "age"]
    return [n for n in of_people if len({v for c in cases if (v := value_of(c, n)) is not None}) > 1]


def value_of(case: Case, column: str) -> float | str | None:
    """Return what a case has in a column: a covariate, or its own `group`; None where it has nothing there."""
    if column == GROUP and column not in case.covariates:
        return case.group
    value = case.covariates.get(column)
    return None if value is None or value != value or value == "" else value


def linked(each: Iterable[Collection[Hashable]], groups: Collection[Hashable]) -> bool:
    """Return whether members that are in several groups, `each` of one member, link all groups with one another."""
    parts: list[set[Hashable]] = []
    for own in each:
        touched = [part for part in parts if not part.isdisjoint(own)]
        parts = [part for part in parts if part.isdisjoint(own)] + [set(own).union(*touched)]
    return any(part.issuperset(groups) for part in parts)
