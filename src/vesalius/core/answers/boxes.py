"""Boxes: where things lie in an image, as boxes with labels."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.image import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Boxes(Answer):
    """Boxes in index coordinates of the reference image, with a label and a probability each."""

    boxes: tuple[Box, ...]
    p: Array  # (N,)
    labels: tuple[Label, ...]
