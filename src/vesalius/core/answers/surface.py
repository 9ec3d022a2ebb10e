"""Surface: a triangle mesh in millimetres."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vesalius.core.answers import Answer
from vesalius.core.cohort import Label
from vesalius.core.image import Array, Triple
from vesalius.core.shown import some


@dataclass(frozen=True, eq=False, kw_only=True)
class Surface(Answer):
    """A triangle mesh in LPS millimetres, the corners of each face counter-clockwise as seen from outside.

    A mesh of several things has `labels`, and in `face_labels` `(F,)` the value of each face's label. `spacing_mm` is
    that of the grid which the mesh was made from.
    """

    vertices_mm: Array  # (V, 3)
    faces: Array  # (F, 3) integers
    spacing_mm: Triple | None = None
    labels: tuple[Label, ...] = field(default=(), metadata={"stored": "where given"})
    face_labels: Array | None = field(default=None, metadata={"stored": "where given"})

    def _says(self) -> Iterable[str]:
        yield f"{len(self.vertices_mm)} vertices"
        yield f"{len(self.faces)} faces"
        if self.labels:
            yield f"labels: {some((x.name for x in self.labels), len(self.labels))}"
