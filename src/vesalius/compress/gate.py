"""The gate: by how much a compressed model is worse than the original on cases that neither's members ever saw.

Each member is held against its own variant on the cases of its own fold, and all of these cases together make the
figure, paired by patient (`evaluate/paired.py`). What counts is the upper bound of the drop, not the drop: a model that
may be worse by more than is allowed is refused, though it may also be none the worse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vesalius import metrics
from vesalius.core.errors import PlanError
from vesalius.core.words import counted
from vesalius.evaluate.paired import Difference, aligned, differences, directed, together
from vesalius.metrics import Rows

FEWEST = 20  # patients; of fewer, the percentiles of a bootstrap are too narrow to believe
ALIKE = 1e-4  # a difference of answers that is rounding
TAIL = 0.025  # of the 95 % interval, beyond its upper bound
NAMES = ("original", "compressed")
NONE_CHANGED = (
    "the figure is the same on every draw, so the bound is that of a change which no patient showed "
    "(Clopper and Pearson 1934), summed over true classes"
)


@dataclass(frozen=True, slots=True)
class Drop:
    """By how much a figure of the original falls, with the upper bound of its 95 % interval.

    `figure` is the metric's name, `first` and `second` are its values for the original and the compressed model on the
    same `cases` of `patients`. `drop` is positive where the compressed model is worse, whichever way the figure is
    better. `upper` is None where nothing bounds it, and `how` then says why, else how it was bounded.
    """

    figure: str
    first: float | None
    second: float | None
    drop: float | None
    lower: float | None
    upper: float | None
    cases: int
    patients: int
    how: str

    def json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a drop is allowed; `why` says so in a sentence, and `needed` how many patients could tell it."""

    passed: bool
    why: str
    needed: int | None = None


def parse_drop(data: Mapping[str, Any]) -> Drop:
    """Return a drop from its plain data."""
    return Drop(**data)


def measured(
    answer: str,
    figure: str,
    first: Rows,
    second: Rows,
    *,
    patients: Mapping[str, str],
    resamples: int = 1000,
    seed: int = 0,
) -> Drop:
    """Return the drop of one figure between the rows of the original and those of the compressed model.

    Both must be about the same cases and truths. `patients` says by a case's id whose it is; a case without one counts
    as a patient. Raises DataError where the rows cannot be paired, PlanError where nothing says which way the figure is
    better.
    """
    way = directed(answer, figure)
    if not way:
        raise PlanError(f"nothing says whether {figure} is better higher or lower, so no drop can be bounded")
    rows = together(answer, first, second)
    whose = [patients.get(case) or f"case {case}" for case in first.case_ids]
    every = differences(answer, rows, patients=whose, names=NAMES, resamples=resamples, seed=seed)
    found = every.get(figure)
    many = len(set(whose))
    if found is None or found.difference is None:
        why = "the figure is not defined on these cases" if found is None else found.reason
        return Drop(figure, None, None, None, None, None, len(first), many, why)
    lower, upper, how = _bounds(answer, figure, found, (first, second), whose)
    drop = 0.0 - found.difference if way == "higher" else found.difference
    return Drop(figure, found.first, found.second, drop, lower, upper, found.n, many, how)


def judged(drop: Drop, most: float) -> Verdict:
    """Return whether a drop is surely not above `most`, in the figure's own unit."""
    on = f"n = {counted(drop.patients, 'patient')}, {counted(drop.cases, 'case')} out of fold"
    if drop.drop is None:
        return Verdict(False, f"{drop.figure} cannot be compared: {drop.how} ({on})")
    if drop.patients < FEWEST:
        why = f"too few to tell: {on}, and {FEWEST} patients are the fewest that bound a drop"
        return Verdict(False, why, FEWEST)
    if drop.upper is None:
        return Verdict(False, f"the drop of {drop.figure} cannot be bounded: {drop.how} ({on})")
    said = f"{drop.figure} falls by {drop.drop:.4f}, at most {drop.upper:.4f}"
    if drop.upper <= most:
        return Verdict(True, f"{said}, of {most:g} allowed ({on})")
    if drop.drop >= most:
        return Verdict(False, f"{said}, more than the {most:g} allowed ({on})")
    needed = _needed(drop, most)
    why = f"{said}: too few to tell that it is within {most:g} ({on}; about {needed} patients could)"
    return Verdict(False, why, needed)


def _bounds(
    answer: str, figure: str, found: Difference, rows: tuple[Rows, Rows], patients: Sequence[str]
) -> tuple[float | None, float | None, str]:
    """Return the bounds of a drop and how they were found."""
    if found.low is not None and found.high is not None:
        low, high = (
            (-found.high, -found.low) if directed(answer, figure) == "higher" else (found.low, found.high)
        )
        return low, high, "paired bootstrap over patients, 95 %"
    if found.difference or found.p is None:  # a bound is missing for another reason than that nothing changed
        return None, None, found.reason
    if _agree(*rows):
        return 0.0, 0.0, f"the answers to every case agree within {ALIKE:g}"
    about = metrics.describe(answer, figure)
    if (about["low"], about["high"]) != (0.0, 1.0):
        return None, None, found.reason
    bound = min(1.0, sum(1 - TAIL ** (1 / n) for n in _class_sizes(rows[0], patients)))
    return -bound, bound, NONE_CHANGED


def _agree(first: Rows, second: Rows) -> bool:
    """Return whether two models' answers to all cases are the same but for rounding."""
    second = aligned(first, second)
    return all(
        np.allclose(one, second.columns[name], rtol=0, atol=ALIKE, equal_nan=True)
        if one.dtype.kind == "f"
        else np.array_equal(one, second.columns[name])
        for name, one in first.columns.items()
    )


def _class_sizes(rows: Rows, patients: Sequence[str]) -> list[int]:
    """Return how many patients each true class has; all of them as one class where a truth is none."""
    truth = rows.columns.get("y")
    if truth is None or truth.ndim != 1 or truth.dtype.kind not in "iub":
        return [len(set(patients))]
    whose = np.array(patients)
    return [len(set(whose[truth == value])) for value in np.unique(truth)]


def _needed(drop: Drop, most: float) -> int:
    """Return about how many patients would bound the same drop by `most`.

    The width of an interval falls with the root of their number, the bound of what was never seen with the number.
    """
    if drop.upper is None or drop.drop is None:
        return FEWEST
    ratio = (drop.upper - drop.drop) / max(most - drop.drop, 1e-12)
    return math.ceil(drop.patients * (ratio if drop.how == NONE_CHANGED else ratio**2))
