"""Surface: a triangle mesh in millimetres."""

from __future__ import annotations

from typing import Any

from vesalius.answers.contract import Handling
from vesalius.answers.drawing.lines import Line
from vesalius.core.answers.surface import Surface


class SurfaceHandling(Handling[Surface]):
    """What is done with a surface."""

    kind = Surface

    def columns(self, answer: Surface) -> dict[str, Any]:
        """Return no column: the mesh is in the answer's JSON."""
        return {}

    def lines(self, answer: Surface) -> list[Line]:
        """Return how many vertices and faces there are."""
        return [Line("vertices", str(len(answer.vertices_mm))), Line("faces", str(len(answer.faces)))]


HANDLING = SurfaceHandling()
