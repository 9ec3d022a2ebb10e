"""Subgroups: a scorecard's figures a group at a time, the gaps between groups, and what a test says of each gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vesalius.core.interval import Interval

NOT_KNOWN = "not known"  # the group of the cases that have nothing in the column
SMALLEST = 10  # patients that a group must have for its figures to be shown
SURE = 0.05  # the corrected p below which a gap is found

Verdict = Literal["found", "undecided", "none found"]


@dataclass(frozen=True)
class Group:
    """The figures of one group. `positives` is by label how many of its cases truly have that label.

    Where `withheld` says why, the group has no figures and no counts: with those of the others and of all cases
    together, even a count could be worked back to single patients.
    """

    name: str
    n_cases: int | None
    n_patients: int | None
    metrics: Mapping[str, Interval] = field(default_factory=dict)
    positives: Mapping[str, int] = field(default_factory=dict)
    withheld: str = ""


@dataclass(frozen=True)
class Gap:
    """By how much the worst group is worse than the best in one metric.

    `gap` is never negative, but its interval may begin below zero. `p` is the share of exchanges of patients between
    groups that set any two groups as far apart, and `p_corrected` that by Holm over all `Subgroups.tests`. `apart` are
    the two groups that stand out most beside their spread, which need not be the best and the worst.
    `detectable` is the gap between those two that the test finds four times of five. `bound` is the largest gap, of any
    two groups, that an interval does not rule out. `verdict` is `found`, or `none found` where `bound` is small, or
    else `undecided`. What is not defined is None.
    """

    metric: str
    better: str
    best: str
    worst: str
    gap: Interval
    p: float | None
    p_corrected: float | None
    detectable: float | None
    bound: float | None
    verdict: Verdict
    apart: tuple[str, str]


@dataclass(frozen=True)
class Subgroups:
    """The cases of a scorecard in groups by one column, or by several at once.

    Groups of fewer than `smallest` patients are withheld, and so are those that would give them away. `more_withheld`
    counts withheld groups that are not named. `tests` is how many gaps, over all columns of the scorecard, p was
    corrected for, and `shuffles` how many times patients were exchanged.
    """

    by: tuple[str, ...]
    groups: tuple[Group, ...]
    gaps: tuple[Gap, ...] = ()
    smallest: int = SMALLEST
    more_withheld: int = 0
    tests: int = 0
    shuffles: int = 0
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the cases are grouped by, in words."""
        return " and ".join(self.by)

    def __getitem__(self, group: str) -> Group:
        """Return the group of that name. Raises KeyError."""
        return {g.name: g for g in self.groups}[group]


def parse(data: Mapping[str, Any]) -> Subgroups:
    """Return subgroups from their plain data. Raises KeyError or TypeError where these are none."""
    groups = tuple(
        Group(**{**g, "metrics": {k: Interval(**v) for k, v in g["metrics"].items()}}) for g in data["groups"]
    )
    gaps = tuple(Gap(**{**g, "gap": Interval(**g["gap"]), "apart": tuple(g["apart"])}) for g in data["gaps"])
    rest = {"by": tuple(data["by"]), "notes": tuple(data["notes"])}
    return Subgroups(**{**data, **rest, "groups": groups, "gaps": gaps})
