"""Standing: how a figure stands beside the trivial answer's, as reports, cards, banners and the viewer say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vesalius import metrics
from vesalius.answers import contract
from vesalius.core.errors import UnknownName
from vesalius.core.scorecard import Interval, Scorecard

BEATEN, BETTER, LEVEL, WORSE = "beaten", "better", "level", "worse"
ENOUGH = 30  # cases from which an interval without a width is believed: all of fewer can be right by chance
TINY = 1e-9  # the width of an interval that comes of rounding alone


@dataclass(frozen=True, slots=True)
class Words:
    """How a standing is said: in the verdict (`which …`), under a tile, and in which tone."""

    which: str
    tile: str
    tone: str


WORDS = {
    BEATEN: Words("is clearly beaten", "clearly beaten", "good"),
    BETTER: Words("is not clearly beaten", "not clearly beaten", "warn"),
    LEVEL: Words("is not beaten", "not better than the trivial answer", "warn"),
    WORSE: Words("is better", "worse than the trivial answer", "bad"),
}


def standing(card: Scorecard, name: str) -> str | None:
    """Return how one figure of a card stands beside the trivial answer's; None where that cannot be said.

    That is so of metrics that a trivial answer can have perfect, and of those that do not say which way is better.
    """
    metric, handling = name.partition("/")[0], contract.of(card.answer)
    if metric in handling.one_sided:
        return None
    try:
        way = str(metrics.describe(card.answer, name)["better"])
    except (UnknownName, KeyError):
        return None
    return against(card.metrics[name], card.baseline.get(name), way, patients=card.n_patients)


def lead(card: Scorecard, names: Sequence[str]) -> str | None:
    """Return the first of some figures that can be held against the trivial answer's: that of the verdict."""
    return next((name for name in names if standing(card, name) is not None), None)


def unproven(found: Interval, patients: int | None = None) -> bool:
    """Return whether an interval has no width because there are few cases or patients."""
    if found.low is None or found.high is None:
        return False
    cases = found.n if patients is None else min(found.n, patients)
    return found.high - found.low <= TINY and cases < ENOUGH


def against(
    found: Interval, trivial: Interval | None, better: str, *, patients: int | None = None
) -> str | None:
    """Return `beaten`, `better`, `level` or `worse` for a figure beside the trivial answer's.

    It is beaten where the whole interval lies on the better side of the trivial answer's, and worse where it lies on
    the other. An interval without a width, as that of a bootstrap of cases that are all right, proves nothing of
    fewer than `ENOUGH` cases or patients. Otherwise the figure alone says whether it is better. None where a bound is
    missing.
    """
    if trivial is None or trivial.value is None or found.value is None:
        return None
    if found.low is None or found.high is None or better not in ("higher", "lower"):
        return None
    sign = 1.0 if better == "higher" else -1.0
    own = sorted((sign * found.low, sign * found.high))
    low = trivial.value if trivial.low is None else trivial.low
    high = trivial.value if trivial.high is None else trivial.high
    other = sorted((sign * low, sign * high))
    if own[0] > other[1] and not unproven(found, patients):
        return BEATEN
    if own[1] < other[0]:
        return WORSE
    return BETTER if sign * found.value > sign * trivial.value else LEVEL
