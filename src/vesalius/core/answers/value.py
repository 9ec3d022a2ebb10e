"""Value: one number with its unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vesalius.core.answers import Answer


@dataclass(frozen=True, eq=False, kw_only=True)
class Value(Answer):
    """One number with its unit; `quantity` is what it measures, in the data's own words."""

    x: float
    unit: str | None = None
    quantity: str | None = None

    def _says(self) -> Iterable[str]:
        lead = f"{self.quantity} " if self.quantity else ""
        yield f"{lead}{self.x:.6g}" + (f" {self.unit}" if self.unit else "")
