"""What calls are worth to a person: rates at a threshold, what a call means, and the net benefit of acting on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.image import Array
from vesalius.core.operating import clopper_pearson
from vesalius.core.scorecard import Interval
from vesalius.metrics._rows import Rows

Summary = Callable[[Rows, Array], Mapping[str, float]]


def rates_at(y: Array, p: Array, threshold: float) -> Summary:
    """Return the summary of calling from a probability on: sensitivity, specificity, and what a call means.

    `y` `(N,)` are 1, 0, or -1 where it is not known and does not count; `p` `(N,)` are probabilities. `ppv_even` is how
    often a positive call is right where one of two people has it; at a prevalence π it is vπ / (vπ + (1 − v)(1 − π)),
    which grows with v, so that its interval follows from that of v; `npv_even` likewise. NaN where nobody has it,
    nobody lacks it, or nobody is called so.
    """
    called = np.asarray(p) >= threshold
    cell = np.where(np.asarray(y) < 0, 4, 2 * np.equal(y, 1) + called)

    def summary(rows: Rows, index: Array) -> dict[str, float]:
        spared, false, missed, hit, _ = np.bincount(cell[index], minlength=5)
        sensitivity, specificity = _over(hit, hit + missed), _over(spared, spared + false)
        return {
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv_even": _over(sensitivity, sensitivity + 1 - specificity),
            "npv_even": _over(specificity, specificity + 1 - sensitivity),
        }

    return summary


def bounded_rates(found: Mapping[str, Interval], *, having: int, lacking: int) -> dict[str, Interval]:
    """Return rates as `rates_at` has them, with bounds that say how few cases they stand on where they are 0 or 1.

    There the bootstrap has no width. `having` and `lacking` are how many patients have it and lack it: their exact
    bounds are joined with the bootstrap's. Those of `ppv_even` and `npv_even`, which grow with both rates, follow
    from the bounds of these. A rate without bounds stays as it is.
    """
    made = dict(found)
    bounds: dict[str, tuple[float, float]] = {}
    for name, n in (("sensitivity", having), ("specificity", lacking)):
        if (value := found[name].value) is not None:
            low, high = clopper_pearson(round(value * n), n)
            made[name] = _widened(found[name], low, high)
            bounds[name] = (made[name].low or 0.0, made[name].high or 1.0) if value in (0, 1) else (low, high)
    if len(bounds) == 2:
        (low, high), (other_low, other_high) = bounds["sensitivity"], bounds["specificity"]
        for name, ends in (
            ("ppv_even", (_even(low, other_low), _even(high, other_high))),
            ("npv_even", (_even(other_low, low), _even(other_high, high))),
        ):
            if name in made:
                made[name] = _widened(made[name], *ends)
    return made


def _widened(found: Interval, low: float, high: float) -> Interval:
    if found.value is None or found.low is None or found.high is None:
        return found
    if min(abs(found.value), abs(1 - found.value)) > 1e-9:
        return found
    ends = [v for v in (low, high) if np.isfinite(v)]
    return replace(found, low=min(found.low, *ends, 1.0), high=max(found.high, *ends, 0.0))


def _even(rate: float, other: float) -> float:
    return _over(rate, rate + 1 - other)


def rates_kept(y: Array, p: Array, *, keep: str, at: float) -> Summary:
    """Return the summary of the point of the ROC curve at which one rate is at least `at` and the other the highest.

    `keep` is "sensitivity" or "specificity". The point is read off the very cases that are summed up, anew on each
    resample: it is what a threshold that is chosen on them gives, and so somewhat too good.
    """
    levels, place = np.unique(np.asarray(p, dtype=np.float64), return_inverse=True)
    key = _keys(y, place.ravel(), len(levels))

    def summary(rows: Rows, index: Array) -> dict[str, float]:
        hits, false = _reaching(key[index], len(levels))
        hits, false = (
            np.append(hits, 0),
            np.append(false, 0),
        )  # from the lowest probability up to calling nobody
        if not hits[0] or not false[0]:
            return {"sensitivity": float("nan"), "specificity": float("nan")}
        sensitivity, specificity = hits / hits[0], 1 - false / false[0]
        kept, other = (sensitivity, specificity) if keep == "sensitivity" else (specificity, sensitivity)
        best = int(np.where(kept >= at - 1e-12, other, -1.0).argmax())
        return {"sensitivity": float(sensitivity[best]), "specificity": float(specificity[best])}

    return summary


def net_benefit(y: Array, p: Array, thresholds: Sequence[float]) -> Summary:
    """Return the summary of the decision curve (Vickers and Elkin 2006), `net/k` for the `k`-th threshold, rising.

    At a threshold t it is (true positives − false positives · t / (1 − t)) / cases: what acting on the calls gains over
    acting on nobody, in true positives a case. `all/k` is what acting on everybody gains.
    """
    at = np.asarray(thresholds, dtype=np.float64)
    place = np.searchsorted(
        at, np.asarray(p, dtype=np.float64), side="right"
    )  # how many thresholds a case reaches
    key = _keys(y, place, len(at) + 1)
    cost = at / (1 - at)

    def summary(rows: Rows, index: Array) -> dict[str, float]:
        hits, false = _reaching(key[index], len(at) + 1)
        total = hits[0] + false[0]
        if not total:
            return {}
        share = hits[0] / total
        net = (hits[1:] - false[1:] * cost) / total
        everybody = share - (1 - share) * cost
        return {f"net/{k}": float(v) for k, v in enumerate(net)} | {
            f"all/{k}": float(v) for k, v in enumerate(everybody)
        }

    return summary


def agreement(answers: Array, truths: Array) -> Summary:
    """Return the summary of Bland and Altman 1986: the mean difference, answer minus truth, and limits of agreement.

    The limits hold 95 of 100 differences if these are normal: the mean ± 1.96 standard deviations. NaN of fewer than
    two cases.
    """
    apart = np.asarray(answers, dtype=np.float64) - np.asarray(truths, dtype=np.float64)

    def summary(rows: Rows, index: Array) -> dict[str, float]:
        some = apart[index]
        some = some[np.isfinite(some)]
        bias = float(some.mean()) if len(some) else float("nan")
        sd = float(some.std(ddof=1)) if len(some) > 1 else float("nan")
        return {"bias": bias, "low": bias - 1.96 * sd, "high": bias + 1.96 * sd}

    return summary


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of `n` cases that are independent of one another (Wilson 1927)."""
    if not n:
        return 0.0, 1.0
    z = 1.959963984540054
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _keys(y: Array, place: Array, places: int) -> Array:
    """Return for each case a number that says its place and whether it has it; the last of all where nobody knows."""
    known = np.asarray(y) >= 0
    return np.asarray(np.where(known, 2 * place + np.equal(y, 1), 2 * places))


def _reaching(keys: Array, places: int) -> tuple[Array, Array]:
    """Return how many of those who have it, and of those who have not, reach each place; the first counts all."""
    held = np.bincount(keys, minlength=2 * places + 1)[:-1].reshape(places, 2)
    reached = held[::-1].cumsum(axis=0)[::-1]
    return reached[:, 1], reached[:, 0]


def _over(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
