"""Matching: which boxes of an answer have found which true ones, by the rules of COCO and of LUNA16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vesalius.core.case import Box
from vesalius.core.image import Array

IOU = np.concatenate([[0.1], np.linspace(0.5, 0.95, 10)])  # thresholds; COCO's ten are those from .5 on
FALSE, HIT, NEITHER = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Hit:
    """When a box has found a true one of its label, for FROC curves and at the operating point.

    By the rule `iou` they overlap by `at` or more (intersection over union); by `centre` the middle of the box lies in
    the true one, as LUNA16 asks of a candidate (Setio et al. 2017), and `at` says nothing.
    """

    rule: Literal["iou", "centre"] = "iou"
    at: float = 0.5

    @property
    def words(self) -> str:
        """The rule in words."""
        if self.rule == "centre":
            return "its middle lies in a true box of its label"
        return f"it overlaps a true box of its label by {self.at:g} or more (intersection over union)"


def corners(boxes: Sequence[Box]) -> Array:
    """Return the low and the high corner of each box, `(N, 2, 3)` in `(z, y, x)`."""
    return np.array([(b.low, b.high) for b in boxes], dtype=np.float64).reshape(-1, 2, 3)


def overlaps(boxes: Array, others: Array, crowd: Array) -> Array:
    """Return intersections over unions `(N, M)` of boxes `(N, 2, 3)` with others `(M, 2, 3)`.

    Over the size of the box alone where `crowd` `(M,)` marks the other as a region of many things, as COCO has it. A
    box without any extent overlaps nothing.
    """
    low = np.maximum(boxes[:, None, 0], others[None, :, 0])
    high = np.minimum(boxes[:, None, 1], others[None, :, 1])
    inside = np.clip(high - low, 0, None).prod(axis=2)
    own, theirs = (np.clip(b[:, 1] - b[:, 0], 0, None).prod(axis=1) for b in (boxes, others))
    whole = np.where(crowd[None], own[:, None], own[:, None] + theirs[None] - inside)
    found: Array = np.divide(inside, whole, out=np.zeros_like(inside), where=whole > 0)
    return found


def nearness(boxes: Array, others: Array, crowd: Array, hit: Hit) -> tuple[Array, float]:
    """Return how near each box is to each true one, `(N, M)`, by the rule of a hit, and from where on it is one."""
    if hit.rule == "iou":
        return overlaps(boxes, others, crowd), hit.at
    middles = boxes.mean(axis=1)[:, None]  # (N, 1, 3)
    inside = ((middles >= others[None, :, 0]) & (middles < others[None, :, 1])).all(axis=2)
    reach = np.maximum((others[:, 1] - others[:, 0]) / 2, 1e-12)
    away = (np.abs(middles - others.mean(axis=1)[None]) / reach[None]).max(
        axis=2
    )  # 0 in the middle, 1 at the rim
    return np.where(inside, 2.0 - np.minimum(away, 1.0), 0.0), 1.0


def greedy(near: Array, crowd: Array, at: Sequence[float]) -> tuple[Array, Array]:
    """Return how each box of one case and label ended at each threshold, `(N, T)`, and what it found, `(N, T)`.

    `near` `(N, M)` has the boxes in the order of falling scores. Each takes the nearest true one that is left, of
    equal ones the last; a crowd is taken where nothing else can be, and may be taken again: then the box counts for
    nothing (NEITHER). That is COCO's rule. What was found is -1 where nothing was.
    """
    ends = np.zeros((len(near), len(at)), dtype=np.int8)
    found = np.full((len(near), len(at)), -1, dtype=np.int32)
    if not near.size:
        return ends, found
    order = np.argsort(crowd, kind="stable").tolist()  # regions of many things come last
    many, least = crowd.tolist(), min(at)
    limits = [min(float(t), 1 - 1e-10) if t <= 1 else float(t) for t in at]
    taken: list[set[int]] = [set() for _ in at]
    for n in np.flatnonzero((near >= min(least, 1 - 1e-10)).any(axis=1)).tolist():
        row = near[n].tolist()
        for t, limit in enumerate(limits):
            best, chosen = limit, -1
            for m in order:
                if m in taken[t] and not many[m]:
                    continue
                if chosen > -1 and not many[chosen] and many[m]:
                    break
                if row[m] >= best:
                    best, chosen = row[m], m
            if chosen > -1:
                ends[n, t], found[n, t] = (NEITHER if many[chosen] else HIT), chosen
                taken[t].add(chosen)
    return ends, found


def first_hits(near: Array, crowd: Array, at: float) -> Array:
    """Return how each box of one case and label ends in a FROC curve, `(N,)`; boxes in the order of falling scores.

    A true one is found once, by the surest box that hits it; what hits only what is found already, or a crowd, counts
    for nothing, as in LUNA16's evaluation. A box that hits several finds the nearest of those that are left.
    """
    ends = np.zeros(len(near), dtype=np.int8)
    taken: set[int] = set()
    for n in np.flatnonzero((near >= at).any(axis=1)).tolist() if near.size else ():
        hits = np.flatnonzero(near[n] >= at).tolist()
        left = [m for m in hits if m not in taken and not crowd[m]]
        ends[n] = HIT if left else NEITHER
        if left:
            taken.add(max(left, key=lambda m: float(near[n, m])))
    return ends
