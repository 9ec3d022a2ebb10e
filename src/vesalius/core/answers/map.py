"""Map: a field of numbers over an image."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.image import Image


@dataclass(frozen=True, eq=False, kw_only=True)
class Map(Answer):
    """A float field on the reference image's grid: a quantity and its unit."""

    image: Image
    quantity: str
    unit: str | None = None
