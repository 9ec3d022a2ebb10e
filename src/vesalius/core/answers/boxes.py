"""Boxes: where things lie in an image, as boxes with labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.image import Array
from vesalius.core.shown import some
from vesalius.core.words import counted


@dataclass(frozen=True, eq=False, kw_only=True)
class Boxes(Answer):
    """Boxes in index coordinates of the reference image, with a label and a probability each."""

    boxes: tuple[Box, ...]
    p: Array  # (N,)
    labels: tuple[Label, ...]

    def _says(self) -> Iterable[str]:
        pairs = sorted(zip(self.boxes, self.p.tolist(), strict=True), key=lambda pair: -pair[1])
        yield counted(len(pairs), "box", "boxes")
        if pairs:
            yield some((f"{box.label} {p:.3f}" for box, p in pairs), len(pairs))
