"""What is known of the numbers that a task answers: of one under the names that a state has had, of several by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.answers.value import Value
from vesalius.core.bounds import Bounds
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.moments import Moments
from vesalius.core.words import counted
from vesalius.tasks import _spread

SEVERAL = "numbers"  # in a state: what is known of each by its name


@dataclass(frozen=True, slots=True)
class About:
    """One number: its name and unit, and mean, deviation and ends of the training cases'."""

    name: str
    unit: str
    mean: float
    sd: float
    low: float
    high: float

    def value(self, x: float, *, bounds: Bounds | None = None, marked: bool = False) -> Value:
        """Return a number in its unit; where `marked` one that lies beyond all that was learned from says so."""
        outside: tuple[str, ...] | None = None
        if marked and not self.low <= x <= self.high:
            unit = f" {self.unit}" if self.unit else ""
            outside = (f"{self.name} {x:.4g}{unit}, learned from {self.low:.4g} to {self.high:.4g}{unit}",)
        return Value(x=x, unit=self.unit or None, quantity=self.name, outside=outside, bounds=bounds)


def infos(target: TargetInfo) -> tuple[TargetInfo, ...]:
    """Return the single numbers that a target is: itself, or those that it is made of."""
    return target.parts or (target,)


def held(case: Case, target: str) -> Mapping[str, Any]:
    """Return what a case has of a target's numbers, by name; empty where it has none."""
    value = case.targets.get(target)
    if value is None:
        return {}
    return value if isinstance(value, Mapping) else {target: value}


def is_finite(value: Any) -> bool:
    """Return whether a value is a number that is neither infinite nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def finite(value: Any, name: str, case: str) -> float:
    """Return a value as a number. Raises DataError, naming the case, where it is none or is not finite."""
    if not is_finite(value):
        raise DataError(f"case {case}: '{name}' is not a finite number", found=repr(value))
    return float(value)


def moments(cases: Sequence[Case], target: TargetInfo) -> dict[str, Moments]:
    """Return the moments of each number over some cases. Raises DataError, naming the case, for what is none."""
    return {
        info.name: Moments.of(
            finite(found[info.name], info.name, case.id)
            for case in cases
            if info.name in (found := held(case, target.name))
        )
        for info in infos(target)
    }


def described(numbers: Moments, name: str, unit: str) -> dict[str, Any]:
    """Return what a state keeps of a number. Raises DataError where it is the same for all training cases."""
    if not numbers.n or not numbers.low < numbers.high:
        raise DataError(
            f"the target '{name}' is the same for all training cases",
            found=f"{numbers.mean:g} in {counted(numbers.n, 'case')}" if numbers.n else "no case that has it",
            hint="another target, or another split",
        )
    return {
        "unit": unit,
        "n": numbers.n,
        "mean": numbers.mean,
        "sd": numbers.sd,
        "low": numbers.low,
        "high": numbers.high,
    }


def abouts(state: State) -> tuple[About, ...]:
    """Return what is known of each number, in the order of the model's outputs."""
    values = state.values
    each = values.get(SEVERAL) or {values["target"]: values}
    return tuple(
        About(str(name), str(a["unit"]), *(float(a[key]) for key in ("mean", "sd", "low", "high")))
        for name, a in each.items()
    )


def standardised(case: Case, state: State) -> Array | None:
    """Return the case's numbers in standard deviations, `(N,)` float32, NaN where it lacks one; None where it has none.

    Raises DataError, naming the case, for what is no number.
    """
    there = held(case, state.values["target"])
    if not there:
        return None
    found = [
        (finite(there[a.name], a.name, case.id) - a.mean) / a.sd if a.name in there else math.nan
        for a in abouts(state)
    ]
    return np.array(found, dtype=np.float32)


def answered(raw: Any, state: State) -> list[Value]:
    """Return each number in its own unit, the mean over an ensemble's members, from raw outputs `(M, N·(1 + S))`.

    One that lies beyond all that was learned from is marked, for there the model guesses. Where the model says
    something of the spread, the answers have its bounds.
    """
    each, said = abouts(state), np.asarray(raw)
    numbers, spread = said[:, : len(each)], said[:, len(each) :]
    low = high = None
    share = float(state.values.get("share", _spread.SHARE))
    if spread.shape[1]:
        low, high = _spread.bounds(numbers, spread, share=share)
    found = []
    for k, about in enumerate(each):
        x = float(np.mean(numbers[:, k], dtype=np.float64)) * about.sd + about.mean
        own = None
        if low is not None and high is not None:
            own = Bounds(float(low[k]) * about.sd + about.mean, float(high[k]) * about.sd + about.mean, share)
        found.append(about.value(x, bounds=own, marked=True))
    return found
