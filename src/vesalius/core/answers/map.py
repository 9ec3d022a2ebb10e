"""Map: a field of numbers over an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vesalius.core.answers import ImageAnswer

DICOM = "dicom_pm"


@dataclass(frozen=True, eq=False, kw_only=True)
class Map(ImageAnswer):
    """A float field on the reference image's grid: a quantity and its unit."""

    quantity: str
    unit: str | None = None

    def _holds(self) -> Iterable[str]:
        yield self.quantity + (f" in {self.unit}" if self.unit else "")
