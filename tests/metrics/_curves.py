"""Survival curves and events for tests: exponential times whose hazard an answer tells, and small cases by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.answers.curve import Curve
from vesalius.core.case import Event
from vesalius.core.image import Array

GRID = np.arange(30.0, 2400.0, 30.0)
MEAN_DAYS = 900.0


def said(case: str, risk: float, *, until: float = 2400.0, **more: object) -> Curve:
    """Return the true curve of a case whose log hazard is so much above the average."""
    times = GRID[until >= GRID]
    survival = np.exp(-times / MEAN_DAYS * np.exp(risk))
    return Curve(case_id=case, times_days=times, survival={"all": survival}, risk=risk, **more)  # type: ignore[arg-type]


def drawn(n: int, seed: int = 0) -> tuple[Array, list[Event]]:
    """Return log hazards `(N,)` and censored exponential times that follow them."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    time, last = rng.exponential(MEAN_DAYS * np.exp(-risk)), rng.uniform(300, 2300, n)
    return risk, [Event(float(min(a, b)), bool(a <= b)) for a, b in zip(time, last, strict=True)]


def by_risk(risks: Sequence[float]) -> list[Curve]:
    """Return answers whose curves follow from their risks."""
    return [said(f"c{k}", float(r)) for k, r in enumerate(risks)]
