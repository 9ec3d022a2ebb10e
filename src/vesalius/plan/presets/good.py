"""Good: what the rules choose, unchanged."""

from __future__ import annotations

from vesalius.core.plan import Plan
from vesalius.plan.draft import Draft

NAMES = {"good": "what the rules choose for these data and this machine, unchanged"}


def choose(plan: Plan) -> Draft:
    """Return nothing."""
    return Draft()
