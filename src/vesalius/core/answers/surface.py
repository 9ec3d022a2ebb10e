"""Surface: a triangle mesh in millimetres."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.image import Array, Triple


@dataclass(frozen=True, eq=False, kw_only=True)
class Surface(Answer):
    """A triangle mesh in LPS millimetres."""

    vertices_mm: Array  # (V, 3)
    faces: Array  # (F, 3) integers
    spacing_mm: Triple | None = None

    def _says(self) -> Iterable[str]:
        yield f"{len(self.vertices_mm)} vertices"
        yield f"{len(self.faces)} faces"
