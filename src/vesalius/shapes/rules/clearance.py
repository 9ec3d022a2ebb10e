"""Between part and bone there is room, everywhere the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from vesalius.shapes.design.part import Made, Part
from vesalius.shapes.rules.contract import Finding, Rule

NAMES = {"clearance": "Between part and bone there is room"}
ORDER = 30
OPTIONS = {"least_mm": 0.5}
LIMITS = {"least_mm": {"ge": 0.1, "le": 5}}
_SPARE = 0.15  # steps, for what a mesh cuts off between points
_REACH_MM = 6.0  # how near to bone the surface is that faces it


class Clearance(Rule):
    """What lies nearer to the bone than the gap is taken away from the part."""

    name: ClassVar[str] = "clearance"

    def mend(self, part: Part, values: Mapping[str, Any]) -> Part:
        """Return the part without what lies nearer to bone than the gap and a part of a step."""
        room = float(values["least_mm"]) + _SPARE * part.step_mm
        return part.without(part.bone_mm - room)

    def stricter(self, values: Mapping[str, Any], finding: Finding) -> Mapping[str, Any]:
        """Return a wider gap by what the made part lacked."""
        short = finding.figures["asked_mm"] - finding.figures["least_mm"]
        return {**values, "least_mm": float(values["least_mm"]) + short + 0.05}

    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Measure the distance from each vertex and each face's middle to the bone on the image's own grid."""
        vertices, faces = made.surface.vertices_mm, made.surface.faces
        gaps = made.bone.distance_at(np.concatenate([vertices, vertices[faces].mean(axis=1)]))
        least, limit = float(gaps.min()), float(values["least_mm"])
        facing = gaps[gaps < _REACH_MM]
        middle, wide = (float(np.percentile(facing, q)) for q in (50, 95)) if len(facing) else (least, least)
        return Finding(
            self.name,
            least >= limit,
            f"the gap to the bone is {least:.2f} mm at least",
            {"least_mm": least, "median_mm": middle, "p95_mm": wide, "asked_mm": limit},
            f"--rule clearance={limit / 2:g}, or an image of finer voxels",
        )


RULE = Clearance()
