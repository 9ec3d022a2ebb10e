"""Boxes around what is looked for, each with its label."""

from __future__ import annotations

from typing import ClassVar

from vesalius.cohorts.targets.contract import TargetKind, Thing
from vesalius.core.case import Box, Target

ROLES = ()  # boxes come with cohorts that are made in Python
ORDER = 50


class DrawnBoxes(TargetKind):
    """A value is a tuple of boxes in index coordinates of the reference image."""

    name: ClassVar[str] = "boxes"

    def names_in(self, value: Target) -> tuple[str, ...]:
        """Return each label that a box of the case has, once."""
        boxes = [v for v in value if isinstance(v, Box)] if isinstance(value, tuple) else []
        return tuple(dict.fromkeys(box.label for box in boxes))

    def things(self, value: Target) -> tuple[Thing, ...]:
        """Return each box by its label and its size; regions of many things are left out."""
        boxes = [v for v in value if isinstance(v, Box)] if isinstance(value, tuple) else []
        return tuple((box.label, _size(box)) for box in boxes if not box.crowd)


def _size(box: Box) -> tuple[float, float, float]:
    z, y, x = (high - low for low, high in zip(box.low, box.high, strict=True))
    return z, y, x


KIND = DrawnBoxes()
