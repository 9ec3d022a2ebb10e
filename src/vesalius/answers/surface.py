"""Surface: a triangle mesh in millimetres."""

from __future__ import annotations

from typing import Any

import numpy as np

from vesalius.answers.contract import Handling
from vesalius.answers.drawing.lines import Line
from vesalius.core.answers.surface import Surface
from vesalius.core.marks import Mark


class SurfaceHandling(Handling[Surface]):
    """What is done with a surface."""

    kind = Surface

    def columns(self, answer: Surface) -> dict[str, Any]:
        """Return no column: the mesh is in the answer's JSON."""
        return {}

    def marks(self, answer: Surface) -> list[Mark]:
        """Return the ends and the middle of the mesh along each axis in millimetres, and how fine it is."""
        points = np.asarray(answer.vertices_mm, dtype=np.float64).reshape(-1, 3)
        ends = [*points.min(axis=0), *points.max(axis=0), *points.mean(axis=0)] if len(points) else []
        size = float(np.ptp(points, axis=0).max()) if len(points) else 0.0
        return [
            Mark("ends and middle in mm", tuple(map(float, ends)), unit=size or 1.0),
            Mark("vertices", float(len(points)), unit=float(max(len(points), 1))),
            Mark("faces", float(len(answer.faces)), unit=float(max(len(answer.faces), 1))),
        ]

    def surface(self, answer: Surface) -> Surface:
        """Return the mesh itself."""
        return answer

    def lines(self, answer: Surface) -> list[Line]:
        """Return how many vertices and faces there are."""
        return [Line("vertices", str(len(answer.vertices_mm))), Line("faces", str(len(answer.faces)))]


HANDLING = SurfaceHandling()
