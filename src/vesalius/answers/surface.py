"""Surface: a triangle mesh in millimetres."""

from __future__ import annotations

from typing import Any

from vesalius.answers.contract import Handling
from vesalius.core.answers.surface import Surface


class SurfaceHandling(Handling[Surface]):
    """What is done with a surface."""

    kind = Surface

    def columns(self, answer: Surface) -> dict[str, Any]:
        """Return no column: the mesh is in the answer's JSON."""
        return {}


HANDLING = SurfaceHandling()
