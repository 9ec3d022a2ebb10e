"""Boxes around what is looked for, each with its label."""

from __future__ import annotations

from typing import ClassVar

from vesalius.cohorts.targets.contract import TargetKind
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


KIND = DrawnBoxes()
