"""Picture: an image that a model made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from vesalius.core.answers import ImageAnswer


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture(ImageAnswer):
    """An image made by a model."""

    holds: ClassVar[Literal["labels", "values", "picture"]] = "picture"
