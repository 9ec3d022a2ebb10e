"""Moments: count, mean, spread and ends of numbers, as summaries that can be merged (Chan, Golub, LeVeque 1983)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Moments:
    """What is known of some numbers. `squares` is the sum of their squared distances from the mean."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Moments:
        """Return the summary of finite numbers."""
        held = [float(x) for x in numbers]
        if not held:
            return cls()
        mean = math.fsum(held) / len(held)
        return cls(len(held), mean, math.fsum((x - mean) ** 2 for x in held), min(held), max(held))

    def merged(self, other: Moments) -> Moments:
        """Return the summary of both sets of numbers, as if they had been one."""
        n = self.n + other.n
        if not self.n or not other.n:
            return self if self.n else other
        apart = other.mean - self.mean
        return Moments(
            n,
            self.mean + apart * other.n / n,
            self.squares + other.squares + apart**2 * self.n * other.n / n,
            min(self.low, other.low),
            max(self.high, other.high),
        )

    @property
    def sd(self) -> float:
        """Return the standard deviation, of the numbers themselves (divided by n)."""
        return math.sqrt(self.squares / self.n) if self.n else 0.0

    def json(self) -> dict[str, Any]:
        """Return the summary as plain data."""
        return asdict(self) if self.n else {"n": 0}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Moments:
        """Return a summary from its plain data."""
        if not data["n"]:
            return cls()
        return cls(int(data["n"]), *(float(data[k]) for k in ("mean", "squares", "low", "high")))
