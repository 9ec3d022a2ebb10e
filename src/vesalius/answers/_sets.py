"""Sets of labels by conformal prediction: how strange each label would be as the truth, beside probabilities.

A set holds the labels that are at most as strange as a threshold. No random number enters: the same case has the same
set whenever it is asked for. The probabilities of a set are then a little rougher steps, never a broken promise.
"""

from __future__ import annotations

import numpy as np

from vesalius.core.errors import UnknownName
from vesalius.core.image import Array

LAC, APS, RAPS = "lac", "aps", "raps"
WAYS = (LAC, APS, RAPS)
PENALTY, FREE = 0.1, 1  # of RAPS: what each label beyond the first FREE ones adds


def strangeness(p: Array, way: str) -> Array:
    """Return how strange each of `K` labels that exclude one another would be as the truth, from `p` `(K,)`.

    `lac`: 1 − p, which makes the smallest sets on average (Sadinle, Lei & Wasserman 2019). `aps`: the probability of
    all labels that are as likely or likelier, so that hard cases have larger sets (Romano, Sesia & Candès 2020).
    `raps`: the same with a penalty on each label after the first, so that no set grows long (Angelopoulos et al. 2021).
    Raises UnknownName.
    """
    p = np.asarray(p, dtype=np.float64)
    if way == LAC:
        return 1 - p
    if way not in WAYS:
        raise UnknownName("way to make a set", way, WAYS)
    order = np.argsort(-p, kind="stable")
    found = np.empty(len(p))
    found[order] = np.cumsum(p[order])
    if way == RAPS:
        found[order] += PENALTY * np.maximum(np.arange(len(p)) + 1 - FREE, 0)
    return found


def in_order(p: Array, start: int, *, before: bool = False) -> Array:
    """Return how strange each of `K` grades would be as the truth: the probability of the grades up to it.

    From the grade that is called on, whose place is `start`, the likelier neighbour is taken in, so that the grades
    that are at most as strange as a threshold lie side by side. With `before` it is the probability of the grades that
    were taken in before it: a range then grows until it holds enough (ordinal APS: Lu, Angelopoulos & Pomerantz 2022),
    and is one grade where the model is sure.
    """
    p = np.asarray(p, dtype=np.float64)
    low = high = start
    found = np.empty(len(p))
    total = float(p[low])
    found[low] = 0.0 if before else total
    while high - low + 1 < len(p):
        below = p[low - 1] if low > 0 else -1.0
        above = p[high + 1] if high + 1 < len(p) else -1.0
        if above >= below:
            high += 1
            taken = high
        else:
            low -= 1
            taken = low
        found[taken] = total
        total += float(p[taken])
        found[taken] = found[taken] if before else total
    return found


def held(strange: Array, at: float, otherwise: int) -> list[int]:
    """Return the places of the labels that are at most as strange as `at`; the place `otherwise` where none is.

    So no set is empty, which holds the truth at least as often.
    """
    places = np.flatnonzero(strange <= at).tolist()
    return places or [otherwise]
