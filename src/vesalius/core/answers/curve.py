"""Curve: survival over time, one curve an arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.image import Array
from vesalius.core.shown import some


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve(Answer):
    """Survival over time, one curve for each arm (a single arm is named 'all')."""

    times_days: Array  # (T,)
    survival: Mapping[str, Array]  # arm → (T,) in [0, 1], not increasing

    def _says(self) -> Iterable[str]:
        yield f"arms: {some(self.survival, len(self.survival))}"
        if len(self.times_days):
            yield f"{self.times_days[0]:g} to {self.times_days[-1]:g} days"
