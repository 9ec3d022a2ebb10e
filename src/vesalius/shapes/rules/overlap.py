"""No point of the part lies in bone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from vesalius.shapes.design.part import Made
from vesalius.shapes.rules.contract import Finding, Rule

NAMES = {"overlap": "No point of the part lies in bone"}
ORDER = 70
OPTIONS: dict[str, float] = {}


class Overlap(Rule):
    """Nothing is mended here: `clearance` keeps part and bone apart, and this measures it once more."""

    name: ClassVar[str] = "overlap"

    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Count voxels that are part and bone, and points of the mesh that lie within the bone's surface."""
        both = int((made.mask & made.bone.mask).sum())
        vertices, faces = made.surface.vertices_mm, made.surface.faces
        points = np.concatenate([vertices, vertices[faces].mean(axis=1)])
        inside = int((made.bone.distance_at(points) <= 0).sum())
        return Finding(
            self.name,
            both == 0 and inside == 0,
            f"{both} voxels and {inside} points of the mesh lie in bone",
            {"voxels": float(both), "points": float(inside)},
            "a larger --rule clearance",
        )


RULE = Overlap()
