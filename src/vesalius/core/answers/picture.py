"""Picture: an image that a model made."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.image import Image


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture(Answer):
    """An image made by a model."""

    image: Image
