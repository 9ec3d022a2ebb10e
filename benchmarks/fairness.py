"""Gaps between groups, on scores drawn from a known model: how often the test finds one that is there, or is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np

from benchmarks import _fair_settings as settings
from benchmarks._figures import Figure, at_least
from vesalius.core.subgroups import Gap
from vesalius.evaluate.fairness import subgroups
from vesalius.metrics import scores

SECTION = "Accuracy"
SOAK = False
SEEDS = (0,)
NORMAL = NormalDist()


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Draw scores of two groups, and test them. Quick: three draws."""
    return _tests(3 if quick else settings.REPETITIONS)


def _tests(many: int) -> list[Figure]:
    even = _drawn(many, 0.0, settings.POSITIVE)
    able = float(np.median([g.detectable for g in map(_auc, even) if g is not None and g.detectable]))
    rows = [
        _false("no gap", even),
        _false(
            "no gap, but one group has the finding half as often", _drawn(many, 0.0, settings.OTHER_POSITIVE)
        ),
    ]
    for less, asked in ((settings.LESS, None), (round(able, 3), 0.7)):
        drawn = _drawn(many, less, settings.POSITIVE)
        hits = sum((g := _auc(gaps)) is not None and g.verdict == "found" for gaps in drawn)
        right = sum(
            (g := _auc(gaps)) is not None and g.verdict == "found" and g.worst == "other" for gaps in drawn
        )
        note = (
            f"{settings.PATIENTS} patients, {settings.SHARE:.0%} of them in the other group; {hits} of {many}"
        )
        note += (
            f", the worse group named in {right} of these; AUC {settings.AREA} and {settings.AREA - less:.3f}"
        )
        what = f"power to find a gap of {less} in AUC, corrected for 4 metrics"
        what += "" if asked is None else " (the median gap that is said to be found 4 of 5 times)"
        low, high = _share(hits, many)
        note += f"; interval {low:.3f} to {high:.3f}"
        rows.append(
            Figure(what, f"{hits / many:.3f}", note=note)
            if asked is None or many < 100
            else at_least(what, hits / many, asked, note=note)
        )
    return rows


def _drawn(many: int, less: float, positive: float) -> list[tuple[Gap, ...]]:
    """Return the gaps between two groups of `many` draws of scores, whose areas differ by `less`."""
    found = []
    for k in range(many):
        rng = np.random.default_rng((7, k))
        other = rng.random(settings.PATIENTS) < settings.SHARE
        y = (rng.random(settings.PATIENTS) < np.where(other, positive, settings.POSITIVE)).astype(np.int64)
        far = [math.sqrt(2) * NORMAL.inv_cdf(area) for area in (settings.AREA, settings.AREA - less)]
        z = rng.normal(size=len(y)) + y * np.where(other, far[1], far[0])
        p = 1 / (1 + np.exp(-(z - far[0] / 2)))
        rows = scores.from_arrays(np.stack([1 - p, p], 1), y, labels=["no", "yes"])
        labels = {("group",): [("other" if one else "first",) for one in other]}
        who = [str(i) for i in range(len(y))]
        (of,) = subgroups(
            rows, "Scores", labels, patients=who, resamples=20, shuffles=settings.SHUFFLES, seed=k
        )
        found.append(of.gaps)
    return found


def _auc(gaps: Sequence[Gap]) -> Gap | None:
    return next((g for g in gaps if g.metric == "auc"), None)


def _false(what: str, drawn: Sequence[Sequence[Gap]]) -> Figure:
    """How often any gap is found where there is none; the promise is one of twenty over all metrics together."""
    from scipy.stats import binom

    hits, many = sum(any(g.verdict == "found" for g in gaps) for gaps in drawn), len(drawn)
    most = int(binom.ppf(0.975, many, 0.05))
    low, high = _share(hits, many)
    return Figure(
        f"{what}: share of draws in which any gap of 4 metrics is found",
        f"{hits / many:.3f}",
        f"≤ {most / many:.3f}",
        hits <= most,
        note=f"{hits} of {many}, interval {low:.3f} to {high:.3f}; promised 0.05, with its binomial interval",
    )


def _share(hits: int, many: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    found = binomtest(hits, many).proportion_ci(method="exact")
    return float(found.low), float(found.high)
