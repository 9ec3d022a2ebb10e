"""The part stands out of the bone's shape by little, outward and inward, where the brain may lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy import ndimage

from vesalius.shapes.design.part import Made, to_index
from vesalius.shapes.rules.contract import Finding, Rule

NAMES = {"flush": "The part stands out of the bone's shape by little"}
ORDER = 65
OPTIONS = {"most_mm": 2.0}
LIMITS = {"most_mm": {"ge": 0}}


class Flush(Rule):
    """Nothing is mended here: a part that other rules made stand out is refused."""

    name: ClassVar[str] = "flush"

    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Measure how far vertices of the mesh lie outside of what was missing."""
        part = made.part
        index = to_index(made.surface.vertices_mm, part.affine)
        out = ndimage.map_coordinates(part.wanted_mm, index[:, ::-1].T, order=1, mode="nearest")
        most = float(np.percentile(out, 99))
        return Finding(
            self.name,
            most <= float(values["most_mm"]),
            f"99 % of its surface stands out by {max(most, 0.0):.2f} mm at most",
            {"most_mm": most},
            "a smaller --rule thickness, or --rule flush where the part may stand out",
        )


RULE = Flush()
