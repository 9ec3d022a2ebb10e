"""Strategies: which cases of an unlabelled pool to label next. One file each, found by its name."""

from __future__ import annotations

from vesalius.core import registry
from vesalius.run.strategies.contract import Strategy

KIND = "run.strategies"


def get(name: str) -> Strategy:
    """Return a strategy by its registered name, as that name has it. Raises UnknownName."""
    found: Strategy = registry.held(KIND, name, "STRATEGY")
    return found.named(name)
