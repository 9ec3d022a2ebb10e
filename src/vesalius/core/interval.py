"""Interval: a figure on some cases with the bounds within which it may as well lie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric on `n` cases with its 95 % interval; `reason` says why a bound is missing.

    `undefined` counts the resamples on which the metric does not exist (one class only) and which are not in
    the interval. `value` is None where the metric is not defined on the cases themselves.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    undefined: int = 0
    reason: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return "not defined"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"
