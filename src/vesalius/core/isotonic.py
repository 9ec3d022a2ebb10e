"""Isotonic calibration: probabilities mapped to how often they came true, by a rising line of few knots per label.

Sources: pool adjacent violators (Ayer et al. 1955) makes observed shares rise with the probability; each pool stands at
the mean of its probabilities, with straight lines between pools (centred isotonic regression, Oron and Flournoy 2017),
so that different probabilities between the outermost knots stay different and the order of cases is kept there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array

MOST_KNOTS = 50
Knots = Mapping[str, Sequence[float]]  # {"x": probabilities, rising; "y": what they come to, rising}


def pools(p: Array, truth: Array) -> tuple[Array, Array, Array]:
    """Return the pools of a monotone fit of `truth` `(N,)` on `p` `(N,)`: mean `p`, share that is so, number of cases.

    Cases with the same `p` are one pool from the start. Neighbours whose shares do not rise are joined.
    """
    levels, place = np.unique(np.asarray(p, dtype=np.float64), return_inverse=True)
    n = np.bincount(place.ravel()).astype(np.float64)
    hits = np.bincount(place.ravel(), weights=np.asarray(truth, dtype=np.float64))
    return _pooled(levels, hits / n, n)


def fit_knots(p: Array, truth: Array, *, most: int = MOST_KNOTS) -> dict[str, list[float]] | None:
    """Return the knots of one label's map, `{"x": …, "y": …}`; None where only one kind of case is there.

    `p` `(N,)` are probabilities in [0, 1], `truth` `(N,)` is True where the label is so. The share of each pool is
    drawn towards the share over all cases as one further case of that share would draw it, so that no knot is 0 or 1.
    Raises DataError for probabilities that are not finite.
    """
    p, truth = np.asarray(p, dtype=np.float64), np.asarray(truth, dtype=bool)
    if not np.isfinite(p).all():
        raise DataError("calibration needs finite scores of validation cases", found="NaN or infinity")
    if truth.all() or not truth.any():
        return None
    x, share, n = pools(p, truth)
    while len(x) > most:
        x, share, n = _joined(x, share, n)
    base = float(truth.mean())
    drawn = (n * share + base) / (n + 1)
    x, y, _ = _pooled(x, drawn, n + 1)  # a small pool may have been drawn past its neighbour
    return {"x": [float(v) for v in x], "y": [float(v) for v in y]}


def fit(
    p: Array, y: Array, *, labels: Sequence[str], multilabel: bool = False, positive: str | None = None
) -> dict[str, dict[str, list[float]]]:
    """Return the knots by label: of each of several labels, or of the positive one of two exclusive labels.

    `p` `(N, K)` are calibrated probabilities of validation cases, `y` their indexes `(N,)` or bits `(N, K)`, -1 where
    unknown. Of more than two exclusive labels each is held against all others. A label without both kinds of case has
    no knots and keeps its probabilities.
    """
    found = {}
    for k, name in enumerate(labels):
        if not multilabel and len(labels) == 2 and name != (positive or labels[1]):
            continue
        known = y[:, k] >= 0 if multilabel else np.ones(len(p), dtype=bool)
        truth = y[known, k] == 1 if multilabel else y == k
        knots = fit_knots(p[known, k], truth)
        if knots is not None:
            found[name] = knots
    return found


def mapped(
    maps: Mapping[str, Knots] | None, p: Array, *, labels: Sequence[str], multilabel: bool = False
) -> Array:
    """Return probabilities `(…, K)` after the maps of their labels; without maps they stay what they are.

    Of two exclusive labels the other one has what is left; of more the mapped ones are divided by their sum. Beyond a
    map's outermost knots its value stays the same. NaN stays NaN.
    """
    if not maps:
        return p
    found = np.array(p, dtype=np.float64)
    for name, knots in maps.items():
        k = list(labels).index(name)
        found[..., k] = np.interp(found[..., k], knots["x"], knots["y"])
    if multilabel:
        return found
    if len(labels) == 2 and len(maps) == 1:
        k = list(labels).index(next(iter(maps)))
        found[..., 1 - k] = 1 - found[..., k]
        return found
    return np.asarray(found / found.sum(axis=-1, keepdims=True))


def parse(maps: Any) -> Mapping[str, Knots] | None:
    """Return the maps that a calibration holds; None where it holds none."""
    return maps if isinstance(maps, Mapping) and maps else None


def _pooled(x: Array, share: Array, n: Array) -> tuple[Array, Array, Array]:
    """Join neighbours until shares rise strictly; a pool's `x` and share are means weighted by `n`."""
    stack: list[tuple[float, float, float]] = []
    for one in zip(x.tolist(), share.tolist(), n.tolist(), strict=True):
        stack.append(one)
        while len(stack) > 1 and stack[-2][1] >= stack[-1][1]:
            b, a = stack.pop(), stack.pop()
            stack.append(_join(a, b))
    made = np.array(stack).reshape(-1, 3)
    return made[:, 0], made[:, 1], made[:, 2]


def _joined(x: Array, share: Array, n: Array) -> tuple[Array, Array, Array]:
    """Join the two neighbouring pools that hold the fewest cases together."""
    k = int((n[:-1] + n[1:]).argmin())
    one = _join((x[k], share[k], n[k]), (x[k + 1], share[k + 1], n[k + 1]))
    kept = [
        np.concatenate([part[:k], [v], part[k + 2 :]]) for part, v in zip((x, share, n), one, strict=True)
    ]
    return kept[0], kept[1], kept[2]


def _join(a: tuple[float, float, float], b: tuple[float, float, float]) -> tuple[float, float, float]:
    n = a[2] + b[2]
    return (a[0] * a[2] + b[0] * b[2]) / n, (a[1] * a[2] + b[1] * b[2]) / n, n
