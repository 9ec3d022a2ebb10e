"""How faithful bars are that are drawn for parts of a case: deletion and insertion over parts, beside chance."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vesalius.core.image import Array
from vesalius.explain import faithful
from vesalius.explain.verdict import SAME

Answers = Callable[
    [Array], Array
]  # rows `(n, N)` of bits of the parts that are kept → what the models say `(n,)`
FEW = 8  # parts below which two orders may well agree by chance, so that likeness is no fault


def gain(answers: Answers, ranked: Array) -> dict[str, float]:
    """Return deletion, insertion and gain of an order of parts, as `faithful.gain` has them of an order of voxels."""
    n = len(ranked)
    cuts = np.unique(np.round(np.linspace(0, n, min(faithful.STEPS, n) + 1)).astype(int))
    kept = np.zeros((2 * len(cuts), n), bool)
    for row, cut in enumerate(cuts):
        kept[row, ranked[cut:]] = True
        kept[len(cuts) + row, ranked[:cut]] = True
    said = answers(kept)
    taken, put = said[: len(cuts)], said[len(cuts) :]
    whole, nothing = float(taken[0]), float(put[0])
    found = {
        "deletion": faithful.area(taken, whole=whole, nothing=nothing),
        "insertion": faithful.area(put, whole=whole, nothing=nothing),
    }
    return found | {"gain": found["insertion"] - found["deletion"]}


def toward(values: Array, answers: Answers) -> Array:
    """Return the order of parts from the one that moved the answer most to where it is from what it is without any."""
    whole, nothing = answers(np.stack([np.ones(len(values), bool), np.zeros(len(values), bool)]))
    way = 1.0 if whole >= nothing else -1.0
    return faithful.order(way * np.asarray(values, np.float64))


def by_chance(answers: Answers, count: int, *, seed: int, times: int = faithful.BY_CHANCE) -> float:
    """Return the mean gain of random orders."""
    random = np.random.default_rng(seed + 1)
    return float(np.mean([gain(answers, random.permutation(count))["gain"] for _ in range(times)]))


def of_the_middle(answers: Answers, count: int) -> float:
    """Return the gain of an order that begins in the middle of the steps."""
    return gain(answers, faithful.order(faithful.middle((count,))))["gain"]


def fault(figures: dict[str, float], values: Array, what: str) -> str | None:
    """Return why bars are not to be believed; None where they hold, as far as was measured. `what` names the parts."""
    if math.isnan(figures.get("gain", 0.0)):
        return f"what is asked is answered alike without any {what}"
    if np.ptp(values) == 0:
        return f"no {what} counts more than another"
    same = abs(figures.get("same_without_learning", 0.0))
    if len(values) >= FEW and same >= SAME:
        return f"a model that learned nothing gives nearly the same bars (rank correlation {same:.2f})"
    for name, words in (
        ("gain_by_chance", "a random order"),
        ("gain_of_the_middle", f"the middle {what} first"),
    ):
        if name in figures and figures["gain"] <= figures[name]:
            return f"it is no better than {words} (gain {figures['gain']:.2f}, that {figures[name]:.2f})"
    return None
