"""Bounds: between which numbers a model itself expects the true one, and in which share of cases."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a model says of a number before anybody has checked it on other cases: it lies in `low` to `high`.

    `share` is in how many cases, from 0 to 1, by the model's own word. What a calibration makes of it is a promise.
    """

    low: float
    high: float
    share: float
