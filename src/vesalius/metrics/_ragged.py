"""Boxes of all cases in one order, and their figures on a resample: average precision, and points of FROC curves."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.core.image import Array

RECALLS = np.linspace(0.0, 1.0, 101)  # at which COCO reads the precision


def column(cells: Sequence[Array]) -> Array:
    """Return arrays of different lengths as one column of `Rows`, `(N,)` of objects."""
    made = np.empty(len(cells), dtype=object)
    for k, cell in enumerate(cells):
        made[k] = cell
    return made


def ordered(scores: Array, labels: Array, *, many: int, most: int) -> dict[str, Array]:
    """Return the order of all boxes: by label, then by falling score, ties by case and then as each case has them.

    `scores` and `labels` are columns of cells, a cell a case; `labels` are places below `many`. Of each case and label
    the `most` surest are kept. `case` is whose each box is, `cell` its place among that case's own, `start` `(K + 1,)`
    where each label begins, and `end` where the last of each run of equal scores of one label stands.
    """
    sizes = [len(one) for one in scores]
    case = np.repeat(np.arange(len(sizes)), sizes)
    cell = np.concatenate([np.arange(n) for n in sizes]) if sizes else np.zeros(0, np.int64)
    p = np.concatenate([*scores]) if sizes else np.zeros(0)
    label = np.concatenate([*labels]).astype(np.int64) if sizes else np.zeros(0, np.int64)
    order = np.lexsort((cell, -p, case, label))  # in each case by score, to keep the surest
    group = label[order] * max(len(sizes), 1) + case[order]
    new = np.flatnonzero(np.diff(group, prepend=-1))
    place = np.arange(len(group)) - np.repeat(new, np.diff([*new, len(group)]))
    order = order[place < most]
    order = order[np.lexsort((cell[order], case[order], -p[order], label[order]))]
    label, p = label[order], p[order]
    start = np.searchsorted(label, np.arange(many + 1))
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (p[:-1] != p[1:]) | (label[:-1] != label[1:])
    end = np.flatnonzero(last)
    return {
        "case": case[order].astype(np.int32),
        "cell": cell[order].astype(np.int32),
        "score": p,
        "start": start.astype(np.int64),
        "end": end.astype(np.int64),
        "end_start": np.searchsorted(end, start).astype(np.int64),
    }


def grouped(flags: Array, order: Mapping[str, Array]) -> dict[str, Array]:
    """Return where hits stand and what stands before each: of `flags` `(D, T)`, 1 a hit and 2 what counts for nothing.

    A group is a threshold and a label, threshold by threshold. `at` are the places of hits in the order of all boxes,
    `bounds` `(T·K + 1,)` where each group begins among them; `none` and `none_bounds` the same of what counts for
    nothing, and `none_before` how many of those stand before each hit.
    """
    start = order["start"]
    at, none, before, sizes, none_sizes, done = [], [], [], [], [], 0
    for t in range(flags.shape[1]):
        for first, last in itertools.pairwise(start):
            hits = first + np.flatnonzero(flags[first:last, t] == 1)
            idle = first + np.flatnonzero(flags[first:last, t] == 2)
            at.append(hits)
            none.append(idle)
            before.append(done + np.searchsorted(idle, hits))
            sizes.append(len(hits))
            none_sizes.append(len(idle))
            done += len(idle)
    joined = [np.concatenate([*x, np.zeros(0, np.int64)]).astype(np.int64) for x in (at, none, before)]
    return {
        "at": joined[0],
        "none": joined[1],
        "none_before": joined[2],
        "bounds": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "none_bounds": np.concatenate([[0], np.cumsum(none_sizes)]).astype(np.int64),
        "at_case": order["case"][joined[0]],
        "none_case": order["case"][joined[1]],
    }


def precisions(held: Mapping[str, Array], weight: Array, seen: Array, true: Array) -> Array:
    """Return the precision at each of COCO's 101 recalls, `(T·K, 101)`: the best at that recall or a higher one.

    `weight` `(N,)` is how often each case was drawn, `seen` `(D + 1,)` how many boxes stand before each place of the
    order, and `true` `(K,)` how many true boxes there are. NaN of a label without any. A case that was drawn several
    times counts as so many copies of it: a run of copies of one hit only raises the precision, and one of a false box
    only lowers it, so that the best of all places is that of a run's end.
    """
    bounds, groups = held["bounds"], len(held["bounds"]) - 1
    size = np.diff(bounds)
    label = np.arange(groups) % len(true)
    hits = _running(weight[held["at_case"]])
    base = hits[bounds[:-1]]
    before = seen[held["start"][label]]
    all_before = seen[held["at"] + 1] - np.repeat(before, size)
    if len(held["none"]):
        idle = _running(weight[held["none_case"]])
        all_before = all_before - (
            idle[held["none_before"]] - np.repeat(idle[held["none_bounds"][:-1]], size)
        )
    own = hits[1:] - np.repeat(base, size)
    precision = np.zeros(len(own) + 1)  # one more, so that every group has an end
    np.divide(own, all_before, out=precision[:-1], where=own > 0)
    wanted = base[:, None] + needed(true)[label]
    at = np.clip(
        np.searchsorted(hits[1:], wanted.ravel()).reshape(wanted.shape), bounds[:-1, None], bounds[1:, None]
    )
    edges = np.concatenate([at, bounds[1:, None]], axis=1)
    best = np.maximum.reduceat(precision, edges.ravel()).reshape(edges.shape)[:, :-1]
    best[at >= bounds[1:, None]] = 0.0
    found: Array = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
    found[true[label] <= 0] = np.nan
    return found


def needed(true: Array) -> Array:
    """Return how many hits reach each of COCO's recalls, `(K, 101)`: the least n with n / true ≥ recall, in floats."""
    many = np.maximum(true, 1)[:, None].astype(np.float64)
    n = np.ceil(RECALLS[None] * many)
    n = np.where((n - 1) / many >= RECALLS[None], n - 1, n)
    found: Array = np.where(n / many < RECALLS[None], n + 1, n)
    return found.astype(np.int64)


def sensitivities(held: Mapping[str, Array], weight: Array, true: Array, rates: Array) -> Array:
    """Return the share of true boxes that are found at so many false ones an image, `(K, R)`; NaN without a true one.

    Between the points of the curve the line is straight, and after its last point it stays, as LUNA16 has it; boxes of
    one score are one point.
    """
    hits, false = (_running(weight[held[name]]) for name in ("hit_case", "false_case"))
    x, y = false[held["end_false"]], hits[held["end_hit"]]  # at the end of each run of equal scores
    first, last = held["end_start"][:-1, None], held["end_start"][1:, None]
    zero_x, zero_y = false[held["false_start"]][:, None], hits[held["hit_start"]][:, None]
    asked = zero_x + rates[None] * weight.sum()
    place = np.searchsorted(x, asked.ravel(), side="right").reshape(asked.shape) - 1
    place = np.minimum(place, last - 1)
    here = place >= first
    safe, following = (
        np.maximum(place, 0),
        np.minimum(np.maximum(place, first - 1) + 1, np.maximum(last - 1, 0)),
    )
    padded_x, padded_y = (v if len(v) else np.zeros(1) for v in (x, y))
    x0, y0 = np.where(here, padded_x[safe], zero_x), np.where(here, padded_y[safe], zero_y)
    more = (np.maximum(place, first - 1) + 1 < last) & (last > first)
    x1 = np.where(more, padded_x[np.minimum(following, len(padded_x) - 1)], x0)
    y1 = np.where(more, padded_y[np.minimum(following, len(padded_y) - 1)], y0)
    step = np.divide(asked - x0, x1 - x0, out=np.zeros(asked.shape), where=x1 > x0)
    found: Array = y0 + np.clip(step, 0, 1) * (y1 - y0) - zero_y
    there = true[:, None] > 0
    return np.where(there, found / np.maximum(true[:, None], 1), np.nan)


def _running(values: Array) -> Array:
    """Return sums of what stands before each place, `(N + 1,)`."""
    made = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=made[1:])
    return made
