"""Value: one number with its unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vesalius.core.answers import Answer
from vesalius.core.bounds import Bounds
from vesalius.core.words import in_unit


@dataclass(frozen=True, eq=False, kw_only=True)
class Value(Answer):
    """One number with its unit; `quantity` is what it measures, in the data's own words.

    `bounds` are those that the model itself gives the number, in its unit; None of a model that gives none. `least` is
    the smallest number that there can be, such as 0 of a count: no promised interval reaches below it.
    """

    x: float
    unit: str | None = None
    quantity: str | None = None
    bounds: Bounds | None = field(default=None, metadata={"stored": "where given"})
    least: float | None = field(default=None, metadata={"stored": "where given"})

    def _says(self) -> Iterable[str]:
        lead = f"{self.quantity} " if self.quantity else ""
        yield f"{lead}{self.x:.6g}{in_unit(self.unit)}"
