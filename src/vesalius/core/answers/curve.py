"""Curve: survival over time, one curve an arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.image import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve(Answer):
    """Survival over time, one curve for each arm (a single arm is named 'all')."""

    times_days: Array  # (T,)
    survival: Mapping[str, Array]  # arm → (T,) in [0, 1], not increasing
