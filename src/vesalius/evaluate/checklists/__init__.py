"""Checklists of reporting: one file = one of them; its items, and what of them is known of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vesalius.core import registry

if TYPE_CHECKING:  # listing the checklists loads no more than their names
    from vesalius.evaluate.checklists.contract import Checklist

KIND = "evaluate.checklists"


def names() -> tuple[str, ...]:
    """Return the registered names of the checklists."""
    return tuple(registry.names(KIND))


def get(name: str) -> Checklist:
    """Return the checklist of that registered name. Raises UnknownName."""
    found: Checklist = registry.lookup(KIND, name).CHECKLIST
    return found
