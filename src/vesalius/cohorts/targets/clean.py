"""A clean image: what the case's image would be if nothing were wrong with it, such as the same slice at full dose."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from vesalius import formats
from vesalius.cohorts.targets.contract import Row, TargetKind
from vesalius.core import grids
from vesalius.core.case import Ref, Target
from vesalius.core.errors import DataError
from vesalius.core.image import Image

ROLES = ("clean",)
ORDER = 35


class CleanImage(TargetKind):
    """A value is where the image lies, or the image itself, on the grid of the case's reference image."""

    name: ClassVar[str] = "clean"

    def parsed(self, cell: str, row: Row) -> Ref:
        """Return the file that a cell names."""
        return row.file(cell, "image")

    def given(self, value: Any, *, classes: Any, image: Image) -> Image | None:
        """Return nothing: an array beside an image is taken for a mask."""
        return None

    def fault(self, value: Target, reference: Image | None) -> str | None:
        """Return that it cannot be read, lies on another grid than the case's, or holds what is no number."""
        if isinstance(value, Ref):
            try:
                value = formats.read(value)
            except DataError as error:
                return f"cannot be read: {error}"
        if not isinstance(value, Image):
            return "is no image"
        if reference is not None and value.array.shape != reference.array.shape:
            return f"lies on another grid: {value.array.shape}, not {reference.array.shape}"
        if reference is not None and (apart := grids.difference(value, reference)) is not None:
            return f"lies on another grid than its image: {apart}"
        return None if np.isfinite(value.array).all() else "holds values that are not finite"


KIND = CleanImage()
