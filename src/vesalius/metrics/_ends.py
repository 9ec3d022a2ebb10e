"""Shares at an end of their range: all cases are right, or none, and how many patients say so gives the interval."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType

import numpy as np

from vesalius.core.image import Array
from vesalius.core.operating import clopper_pearson
from vesalius.core.scorecard import Interval
from vesalius.metrics._rows import Rows

ROUNDED = 1e-9  # how far from its end a share is still at it


@dataclass(frozen=True, eq=False)
class Standing:
    """Which metrics are shares, between 0 and 1, and which cases their figures stand on.

    `groups`: by figure, of each group of cases without which it could not be told, which cases belong to it, `(N,)` of
    bits: of an area under the ROC curve those that have it, and those that have it not. Of others it is all cases.
    """

    shares: frozenset[str]
    groups: Mapping[str, tuple[Array, ...]] = field(default_factory=dict)


def standing(judge: ModuleType, rows: Rows) -> Standing:
    """Return what a metric file says of its figures: its DESCRIPTIONS, and the groups of its `standing(rows)`.

    A figure of which lower is better, such as a share of mistakes, counts where `standing` names its groups.
    """
    found = getattr(judge, "standing", None)
    groups: Mapping[str, tuple[Array, ...]] = {} if found is None else found(rows)
    named = {name.partition("/")[0] for name in groups}
    shares = frozenset(
        name
        for name, about in judge.DESCRIPTIONS.items()
        if (about["low"], about["high"]) == (0.0, 1.0)
        and (about["better"] == "higher" or (about["better"] == "lower" and name in named))
    )
    return Standing(shares, groups)


def at_ends(
    found: Mapping[str, Interval], standing: Standing, *, patients: Sequence[Hashable], level: float = 0.95
) -> dict[str, Interval]:
    """Return figures, of which those whose interval has no width as they lie at an end have an exact one.

    A figure without a label (`recall` beside `recall/a`) stands on the fewest patients that one with a label does.
    """
    codes = np.unique([f"{type(p).__name__}:{p}" for p in patients], return_inverse=True)[1]
    held: dict[str, int] = {}
    for name, one in found.items():
        if one.value is not None and name.partition("/")[0] in standing.shares:
            groups = standing.groups.get(name, (np.ones(len(codes), bool),))
            held[name] = min(one.n, *(len(np.unique(codes[np.asarray(g, bool)])) for g in groups))
    made = dict(found)
    for name, n in held.items():
        under = [n] + [m for other, m in held.items() if other.startswith(f"{name}/")]
        made[name] = widened(found[name], min(under), level=level)
    return made


def widened(found: Interval, patients: int, *, level: float = 0.95) -> Interval:
    """Return a share with its exact interval on so many patients where it is 0 or 1 and its own has no width.

    As it is without bounds, and where it lies between the ends. There the interval of a share (Clopper and Pearson
    1934) holds for the mean of any numbers from 0 to 1: n of them are all 1 with a chance of at most their mean to the
    power of n.
    """
    if found.value is None or found.low is None or found.high is None:
        return found
    end = round(found.value)
    if end not in (0, 1) or max(abs(v - end) for v in (found.value, found.low, found.high)) > ROUNDED:
        return found
    low, high = clopper_pearson(end * patients, patients, level=level)
    return replace(found, low=low, high=high)
