"""Value: one number with its unit."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.answers import Answer


@dataclass(frozen=True, eq=False, kw_only=True)
class Value(Answer):
    """One number with its unit; `quantity` is what it measures, in the data's own words."""

    x: float
    unit: str | None = None
    quantity: str | None = None
