"""Figures of one ranking; cases that are equally near count as the mean over all orders that they could stand in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import comb

import numpy as np

from vesalius.core.image import Array


def spans(distances: Array) -> list[tuple[int, int]]:
    """Return the stretches of a ranking that are equally near, as places `[start, end)`; `distances` `(N,)` ascend."""
    cuts = np.flatnonzero(np.diff(distances)) + 1
    ends = [0, *cuts.tolist(), len(distances)]
    return [(a, b) for a, b in pairwise(ends) if b > a]


def spread(values: Array, tied: Sequence[tuple[int, int]]) -> Array:
    """Return what each place holds on average over the orders of what is equally near, `(N,)` float64."""
    found = np.array(values, np.float64)
    for a, b in tied:
        found[a:b] = found[a:b].mean()
    return found


def recall(hit: Array, tied: Sequence[tuple[int, int]], k: int) -> float:
    """Return the chance that one of the first k places is a hit; `hit` `(N,)` of 0 and 1."""
    for a, b in tied:
        if b <= k and hit[a:b].any():
            return 1.0
        if a < k < b:
            missed = b - a - int(hit[a:b].sum())
            return 1.0 - comb(missed, k - a) / comb(b - a, k - a)
    return 0.0


def average_precision(
    hit: Array, tied: Sequence[tuple[int, int]], wanted: int, *, first: int | None = None
) -> float:
    """Return the sum over hits of the precision at their places, over how many are `wanted`; of the `first` places.

    Of t equally near cases behind `a` others, h of them hits, the i-th place (from 1) is a hit with the chance h / t,
    and then holds 1 + (i - 1)(h - 1)/(t - 1) hits of the t on average. McSherry and Najork 2008, ECIR, section 3.
    """
    total, before = 0.0, 0.0
    for a, b in tied:
        t, h = b - a, float(hit[a:b].sum())
        i = np.arange(1, (b if first is None else min(b, first)) - a + 1)
        if h and len(i):
            inside = 1 + (i - 1) * ((h - 1) / (t - 1) if t > 1 else 0.0)
            total += float((h / t * (before + inside) / (a + i)).sum())
        before += h
    return total / wanted


def gain(worth: Array, tied: Sequence[tuple[int, int]], best: Array, k: int) -> float:
    """Return the discounted gain of the first k places over that of the `best` order, from 0 to 1.

    `worth` `(N,)` is what each place is worth, `best` `(R,)` what all that should be found is worth. Järvelin and
    Kekäläinen 2002, with the discount 1 / log2(1 + place), as scikit-learn's `ndcg_score` has it.
    """
    there = spread(worth, tied)[:k]
    ideal = np.sort(np.asarray(best, np.float64))[::-1][:k]
    top = float((ideal / np.log2(np.arange(2, len(ideal) + 2))).sum())
    return float((there / np.log2(np.arange(2, len(there) + 2))).sum()) / top if top > 0 else float("nan")
