"""The part can be drawn out along its axis without crossing bone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from vesalius.shapes.design.axis import held_back
from vesalius.shapes.design.part import Made, Part
from vesalius.shapes.rules.contract import Finding, Rule

NAMES = {"undercut": "The part can be drawn out along its axis without crossing bone"}
ORDER = 40
OPTIONS = {"room_mm": 0.25}
LIMITS = {"room_mm": {"ge": 0, "le": 5}}
_REACH_MM = 60.0  # how far the part is drawn out
_MOST = 4000  # vertices that are followed


class Undercut(Rule):
    """What bone would hold back on the way out is taken away from the part."""

    name: ClassVar[str] = "undercut"

    def mend(self, part: Part, values: Mapping[str, Any]) -> Part:
        """Return the part without the points from which the way along the axis comes too near to bone."""
        near = part.bone_mm < float(values["room_mm"]) + 0.15 * part.step_mm
        shadow = held_back(near)
        if not (shadow & part.inside).any():
            return part
        return part.without(part.field_of(shadow))

    def stricter(self, values: Mapping[str, Any], finding: Finding) -> Mapping[str, Any]:
        """Return more room on the way out."""
        return {**values, "room_mm": float(values["room_mm"]) + max(0.25, -finding.figures["room_mm"])}

    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Follow vertices of the mesh outward along the axis, through the bone on the image's own grid."""
        axis = np.array(made.part.axis)
        vertices = made.surface.vertices_mm[:: max(1, len(made.surface.vertices_mm) // _MOST)]
        along = np.arange(0.0, _REACH_MM, 1.0)
        ways = (vertices[:, None] + along[None, :, None] * axis).reshape(-1, 3)
        least = made.bone.distance_at(ways).reshape(len(vertices), -1).min(axis=1)
        held = float((least < 0).mean())
        said = ", ".join(f"{a:.2f}" for a in axis)
        return Finding(
            self.name,
            held == 0.0,
            f"drawn out along ({said}) in LPS, {held:.1%} of its surface meets bone",
            {"held_share": held, "room_mm": float(least.min())},
            "--axis X,Y,Z, another direction, or a larger --rule undercut.room_mm",
        )


RULE = Undercut()
