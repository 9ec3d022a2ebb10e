"""Promises of a task's summary: two halves merged are summed up as all cases are, and lead to the same state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vesalius.core.bundle import State
from vesalius.core.moments import Moments
from vesalius.core.statistics import Part, Statistics
from vesalius.testing.promise import promised, require
from vesalius.testing.trial import TaskTrial

NEAR = 1e-9  # how far sums of floats may differ when they are added in another order, as a share
ROUNDING = 1e-15  # what is smaller than that, as a share of the numbers themselves, is rounding


def learns_the_same_of_merged_halves(trial: TaskTrial) -> None:
    """Require that cases which are summarised in two halves, merged in either order, lead to the same state.

    Counts are the same to the bit, means and deviations within a billionth.
    """
    task, plan, target = trial.task, trial.plan, trial.space.target
    cases = trial.space.training
    with promised(f"{trial}: `summary` takes all training cases, and halves of them"):
        whole, *halves = (task.summary(some, target, plan) for some in (cases, cases[::2], cases[1::2]))
    sums = isinstance(whole, Statistics)
    require(sums, f"{trial}: `summary` returns Statistics, not {type(whole).__name__}")
    for one, other in (halves, halves[::-1]):
        with promised(f"{trial}: the summaries of two halves are merged"):
            merged = one.merged(other)
        odd = _differing(whole, merged)
        require(not odd, f"{trial}: merged halves are summed up as all cases are, and '{odd}' differs")
        with promised(f"{trial}: `state` follows from a merged summary"):
            state = task.state(merged, target, plan)
        odd = _differs(trial.state, state)
        require(not odd, f"{trial}: merged halves lead to the same state, and {odd} differs")


def _differing(whole: Statistics, merged: Statistics) -> str:
    """Return the name of a part that is not the same; '' where all are."""
    for name in {**whole.parts, **merged.parts}:
        one, other = whole.parts.get(name), merged.parts.get(name)
        if isinstance(one, Statistics) and isinstance(other, Statistics):
            inner = _differing(one, other)
            if inner:
                return f"{name}.{inner}"
        elif not _same(one, other):
            return name
    return ""


def _same(one: Part | None, other: Part | None) -> bool:
    if not isinstance(one, Moments) or not isinstance(other, Moments):
        return bool(one == other)
    if (one.n, one.low, one.high) != (other.n, other.low, other.high):
        return False
    reach = max(abs(one.low), abs(one.high)) if one.n else 0.0
    spread = math.isclose(
        one.squares, other.squares, rel_tol=NEAR, abs_tol=one.n * (reach * ROUNDING) ** 2
    )  # sums of squares of what is only rounding say nothing
    return spread and math.isclose(one.mean, other.mean, rel_tol=NEAR, abs_tol=reach * ROUNDING)


def _differs(whole: State, merged: State) -> str:
    """Return what of a state is not the same; '' where all is."""
    if set(whole.values) != set(merged.values) or set(whole.arrays) != set(merged.arrays):
        return "what it holds"
    values = [name for name, value in whole.values.items() if not _alike(value, merged.values[name])]
    arrays = [name for name, array in whole.arrays.items() if not _near(array, merged.arrays[name])]
    return ", ".join(f"'{name}'" for name in (*values, *arrays))


def _near(one: Any, other: Any) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not np.issubdtype(one.dtype, np.inexact):
        return bool(np.array_equal(one, other))
    return bool(np.allclose(one, other, rtol=NEAR, atol=ROUNDING, equal_nan=True))


def _alike(one: Any, other: Any) -> bool:
    """Return whether plain data are the same, floats within a billionth."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=NEAR, abs_tol=ROUNDING) or (one != one and other != other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(v, other[k]) for k, v in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_alike(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


MERGED: tuple[Callable[[TaskTrial], None], ...] = (learns_the_same_of_merged_halves,)
