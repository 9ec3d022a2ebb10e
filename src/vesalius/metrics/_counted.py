"""How many things there are, among the figures of what else is said of them: names of figures, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from vesalius.metrics._rows import Rows

T = TypeVar("T")


def renamed(figures: Mapping[str, T], names: Mapping[str, str]) -> dict[str, T]:
    """Return the figures of numbers that are in `names`, under those, each with the label that it is of."""
    return {
        full.replace(name, names[name], 1): value
        for full, value in figures.items()
        if (name := full.partition("/")[0]) in names
    }


def excluded(rows: Rows) -> dict[str, int]:
    """Return the cases whose true count of a label is not known, for a crowd is there, and labels that no case has."""
    found: dict[str, int] = {}
    for k, label in enumerate(rows.info["labels"]):
        crowded = int((rows["crowds"][:, k] > 0).sum())
        found |= {f"crowd/{label}": crowded} if crowded else {}
        found |= {f"absent/{label}": len(rows)} if not rows["true"][:, k].any() else {}
    return found
