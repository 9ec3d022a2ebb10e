"""Gaps: by how much groups of patients differ in a metric, and whether chance explains that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from vesalius import metrics
from vesalius.answers import contract
from vesalius.core.errors import UnknownName
from vesalius.core.image import Array
from vesalius.core.subgroups import SURE, Gap, Verdict
from vesalius.metrics import Rows

POWER = 0.8  # how often a gap as large as `detectable` is found
ROUNDS = 30  # until the detectable gap and the spread that goes with it agree
_Z = 0.8416  # the quantile of a standard normal distribution at POWER
SHUFFLES = 999
MARGIN = 0.1  # of a metric from 0 to 1: a larger gap that is not ruled out leaves the matter undecided
RELATIVE = 0.25  # the same of a metric without an upper end, as a share of its figure on all cases


@dataclass(frozen=True, eq=False)
class Shuffled:
    """A metric by group, `(1 + shuffles, groups)`: first as it is, then with the patients exchanged.

    `overall` is the metric of all cases, and `ends` are those of its range, None where it has none.
    """

    names: tuple[str, ...]
    values: Array
    overall: float = math.nan
    ends: tuple[float | None, float | None] = (None, None)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs of groups, by their places."""
        return list(combinations(range(len(self.names)), 2))

    def spread(self, a: int, b: int) -> float:
        """Return the standard deviation of the difference of two groups over all shuffles."""
        _, spread = self._centre(a, b)
        return spread

    def _centre(self, a: int, b: int) -> tuple[float, float]:
        """Return mean and standard deviation over all shuffles of the difference of two groups; NaN where undefined."""
        difference = self.values[:, a] - self.values[:, b]
        known = difference[np.isfinite(difference)]
        return (float(known.mean()), float(known.std())) if len(known) > 1 else (math.nan, math.nan)

    def statistic(self) -> tuple[Array, list[tuple[int, int]]]:
        """Return the largest difference of any two groups beside its spread, `(1 + shuffles,)`, and the pairs.

        Differences are taken from their mean over all shuffles, so that one which every shuffle shows, because a class
        is more common in one group, is none. The real order counts as one of them, so that the test is exact (Hemerik
        and Goeman 2018); beside its spread the noise of a small group hides no gap between large ones.
        """
        found, pairs = [], []
        for a, b in self.pairs:
            difference = self.values[:, a] - self.values[:, b]
            mean, spread = self._centre(a, b)
            if math.isfinite(difference[0]) and spread > 0:
                found.append(np.abs(np.nan_to_num(difference - mean) / spread))
                pairs.append((a, b))
        return (np.max(found, axis=0) if found else np.zeros(len(self.values))), pairs

    def largest_pair(self) -> tuple[int, int] | None:
        """Return the pair that stands out most in the real order; None where no metric is defined for two groups."""
        scores = {}
        for a, b in self.pairs:
            real, (mean, spread) = float(self.values[0, a] - self.values[0, b]), self._centre(a, b)
            if math.isfinite(real) and spread > 0:
                scores[a, b] = abs(real - mean) / spread
        return max(scores, key=lambda pair: scores[pair]) if scores else None


def directions(answer: str, names: Sequence[str]) -> dict[str, str]:
    """Return which way the metrics are better whose gaps are tested: `higher`, `lower` or `zero`.

    Those are the `compared` of the kind of answer, or its headlines, or every metric that speaks of no single label;
    one that does not say which way it is better is left out.
    """
    handling = contract.of(answer)
    wanted = handling.compared or handling.headlines or tuple(n for n in names if "/" not in n)
    found = {}
    for name in wanted:
        try:
            way = str(metrics.describe(answer, name)["better"])
        except (UnknownName, KeyError):
            continue
        if name in names and way in ("higher", "lower", "zero"):
            found[name] = way
    return found


def shuffled(
    rows: Rows,
    answer: str,
    groups: Mapping[str, Array],
    *,
    patients: Sequence[str],
    names: Sequence[str],
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> dict[str, Shuffled]:
    """Return the metrics of `names` by group as they are, and with patients exchanged between the groups at random.

    `groups` gives the cases of each. A patient's cases stay together; a patient with cases in several groups takes
    those of another patient in turn. Patients are exchanged only within the strata of the kind of answer, such as one
    true class: it is asked whether answers differ between groups among patients of whom the same is true.
    """
    judge, rng = metrics.for_answer(answer), np.random.default_rng(seed)
    order = np.concatenate(list(groups.values()))
    codes = np.repeat(np.arange(len(groups)), [len(index) for index in groups.values()])
    strata = contract.of(answer).strata(rows)
    blocks = _blocks([patients[k] for k in order], None if strata is None else strata[order])
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    for k in range(shuffles + 1):
        drawn = codes if k == 0 else _exchanged(codes, blocks, rng)
        each = [judge.summary(rows, order[drawn == g]) for g in range(len(groups))]
        for name in names:
            found[name].append([float(one.get(name, math.nan)) for one in each])
    whole = judge.summary(rows, order)
    made = {}
    for name, values in found.items():
        described = metrics.describe(answer, name)
        ends = (described.get("low"), described.get("high"))
        made[name] = Shuffled(tuple(groups), np.array(values), float(whole.get(name, math.nan)), ends)
    return made


def gap_of(
    metric: str,
    better: str,
    of: Shuffled,
    drawn: Mapping[str, Array],
    *,
    n: Mapping[str, int],
) -> Gap | None:
    """Return the gap of one metric, with p still to be corrected; None where it is not defined for two groups.

    `drawn` gives the metric on resamples of each group's patients, and `n` each group's cases.
    """
    real = dict(zip(of.names, of.values[0], strict=True))
    known = {name: float(v) for name, v in real.items() if math.isfinite(v)}
    if len(known) < 2:
        return None
    best, worst, sign = _ends(known, better)
    draws = sign * (drawn[best] - drawn[worst])
    gap = metrics.bounds(abs(known[best] - known[worst]), draws, n[best] + n[worst])
    statistic, pairs = of.statistic()
    p = float((statistic >= statistic[0] - 1e-9).mean()) if pairs else None
    pair = of.largest_pair()
    apart = (of.names[pair[0]], of.names[pair[1]]) if pair else (best, worst)
    bound = _bound(known, drawn)
    low, high = of.ends
    margin = MARGIN * (high - low) if low is not None and high is not None else RELATIVE * abs(of.overall)
    small = p is not None and bound is not None and bound <= margin
    verdict: Verdict = "none found" if small else "undecided"
    return Gap(metric, better, best, worst, gap, p, None, None, bound, verdict, apart)


def corrected(gaps: Sequence[Gap], shuffled: Sequence[Shuffled]) -> list[Gap]:
    """Return the gaps with p corrected over all of them (Holm 1979), what could have been found, and the verdict."""
    tested = sorted((k for k, g in enumerate(gaps) if g.p is not None), key=lambda k: gaps[k].p or 0.0)
    adjusted, highest = {}, 0.0
    for rank, k in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * (gaps[k].p or 0.0)))
        adjusted[k] = highest
    made = []
    for k, gap in enumerate(gaps):
        p = adjusted.get(k)
        verdict: Verdict = "found" if p is not None and p < SURE else gap.verdict
        able = _detectable(gap, shuffled[k], len(tested)) if p is not None else None
        made.append(replace(gap, p_corrected=p, detectable=able, verdict=verdict))
    return made


def _ends(known: Mapping[str, float], better: str) -> tuple[str, str, float]:
    """Return the best and the worst group, and the sign that makes the first less the second a gap."""
    high, low = max(known, key=lambda g: known[g]), min(known, key=lambda g: known[g])
    if high == low:
        high, low = list(known)[:2]
    if better == "zero":
        return (low, high, -1.0) if abs(known[high]) > abs(known[low]) else (high, low, 1.0)
    return (high, low, 1.0) if better == "higher" else (low, high, -1.0)


def _bound(known: Mapping[str, float], drawn: Mapping[str, Array]) -> float | None:
    """Return the largest difference of any two groups that its 95 % interval holds; None where one has no interval.

    Where every draw of a group's patients gives the same, as where all are right, the interval has no width and proves
    nothing.
    """
    each = [drawn[group][np.isfinite(drawn[group])] for group in known]
    if any(not len(values) or not np.ptp(values) for values in each):
        return None
    found = []
    for a, b in combinations(known, 2):
        held = metrics.bounds(known[a] - known[b], drawn[a] - drawn[b], 2)
        if held.low is None or held.high is None:
            return None
        found.append(max(abs(held.low), abs(held.high)))
    return max(found, default=None)


def _detectable(gap: Gap, of: Shuffled, tests: int) -> float | None:
    """Return the gap of the two groups that stand out which is found with the chance POWER, by a normal approximation.

    The test's own critical value is taken at SURE over the number of tests, the first and strictest step of Holm's. A
    metric varies more where it is worse, and so does its gap the larger it is: the spread is taken to grow as the
    metric's own does from what it is on all cases to what it would be in the worse group (see `_grown`).
    """
    statistic, pairs = of.statistic()
    if not pairs:
        return None
    critical = float(np.quantile(statistic, 1 - SURE / max(tests, 1)))
    a, b = (of.names.index(name) for name in gap.apart)
    spread = of.spread(a, b)
    able = (critical + _Z) * spread
    for _ in range(ROUNDS):
        able = spread * (critical * _grown(of, gap.better, able / 2) + _Z * _grown(of, gap.better, able))
    return able


def _grown(of: Shuffled, better: str, worse_by: float) -> float:
    """Return how many times as large a metric's spread is where it is worse by so much, 1 or more.

    That of a share goes with √(m (1 − m)), that of a mean of errors with the mean; of others it is taken to stay.
    """
    low, high = of.ends
    worse = of.overall + (worse_by if better == "lower" else -worse_by)
    if better == "zero" or not math.isfinite(of.overall):
        return 1.0
    if low is not None and high is not None:
        shares = [min(max((m - low) / (high - low), 0.01), 0.99) for m in (of.overall, worse)]
        # a metric that would be worse than the middle of its range varies no less than there
        shares[1] = max(shares[1], 0.5) if better == "higher" else min(shares[1], 0.5)
        return max(1.0, math.sqrt(shares[1] * (1 - shares[1]) / (shares[0] * (1 - shares[0]))))
    return max(1.0, worse / of.overall) if better == "lower" and of.overall > 0 else 1.0


def _blocks(patients: Sequence[str], strata: Array | None) -> list[list[Array]]:
    """Return for each stratum the places of each patient's cases; a patient is in that of all its cases' codes."""
    held: dict[str, list[int]] = {}
    for k, patient in enumerate(patients):
        held.setdefault(patient, []).append(k)
    found: dict[tuple[float, ...], list[Array]] = {}
    for places in held.values():
        key = () if strata is None else tuple(sorted({float(strata[k]) for k in places}))
        found.setdefault(key, []).append(np.array(places))
    return list(found.values())


def _exchanged(codes: Array, blocks: Sequence[Sequence[Array]], rng: np.random.Generator) -> Array:
    """Return the groups of the cases after patients were exchanged within each stratum."""
    made = codes.copy()
    for stratum in blocks:
        drawn = rng.permutation(len(stratum))
        if len({len(own) for own in stratum}) == 1:
            places = np.stack(stratum)
            made[places] = codes[places[drawn]]
            continue
        for own, other in zip(stratum, drawn, strict=True):
            made[own] = np.resize(codes[stratum[other]], len(own))
    return made
