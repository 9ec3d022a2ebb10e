"""There are places on the border, far enough apart, where the bone beside them holds a screw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from vesalius.core.image import Array
from vesalius.shapes.design.part import Made
from vesalius.shapes.rules.contract import Finding, Rule

NAMES = {"fixation": "There are places on the border where the bone beside them holds a screw"}
ORDER = 80
OPTIONS = {"places": 3, "apart_mm": 15.0, "bone_mm": 3.0}
LIMITS = {"places": {"ge": 0, "le": 12}, "apart_mm": {"ge": 0}, "bone_mm": {"ge": 0}}
_BORDER_MM = 4.0  # how near to bone a point of the border is
_ASIDE_MM = 5.0  # how far beside the border a screw would sit
_DEEP_MM = 14.0  # along the axis, to both sides, in which bone is looked for
_MOST = 3000


class Fixation(Rule):
    """Beside each point of the border the bone is measured along the axis; places are chosen far apart."""

    name: ClassVar[str] = "fixation"

    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Find places whose bone is thick enough: the thickest first, each next the farthest from the others."""
        wanted, apart, deep = int(values["places"]), float(values["apart_mm"]), float(values["bone_mm"])
        points, thick = border(made)
        strong = points[thick >= deep]
        order = np.argsort(-thick[thick >= deep], kind="stable")
        chosen: list[Array] = []
        for _ in range(12 if len(strong) else 0):
            if not chosen:
                chosen.append(strong[order[0]])
                continue
            near = np.min([np.linalg.norm(strong - one, axis=1) for one in chosen], axis=0)
            if near.max() < max(apart, 1e-6):
                break
            chosen.append(strong[int(near.argmax())])
        share = len(strong) / max(len(points), 1)
        places = tuple((float(p[0]), float(p[1]), float(p[2])) for p in chosen)
        return Finding(
            self.name,
            len(chosen) >= wanted,
            f"{len(chosen)} places at least {apart:g} mm apart, with {deep:g} mm of bone beside them",
            {"places": float(len(chosen)), "strong_share": share},
            f"--rule fixation.places={len(chosen)}, or less --rule fixation.bone_mm where the bone is thin",
            places,
        )


def border(made: Made) -> tuple[Array, Array]:
    """Return points of the border that faces bone `(N, 3)` in LPS, and the mm of bone along the axis beside each."""
    vertices, bone = made.surface.vertices_mm, made.bone
    axis = np.array(made.part.axis)
    gaps = bone.distance_at(vertices)
    near = vertices[gaps < max(_BORDER_MM, float(gaps.min()) + 1.5 * bone.voxel_mm)]
    near = near[:: max(1, len(near) // _MOST)]
    if not len(near):
        return np.zeros((0, 3)), np.zeros(0)
    small = 0.5 * bone.voxel_mm
    slope = np.stack(
        [bone.distance_at(near + small * e) - bone.distance_at(near - small * e) for e in np.eye(3)], 1
    )
    toward = -(slope - (slope @ axis)[:, None] * axis)
    length = np.linalg.norm(toward, axis=1)
    near, toward = near[length > 1e-3], toward[length > 1e-3] / length[length > 1e-3][:, None]
    depth = np.arange(-_DEEP_MM, _DEEP_MM + 0.25, 0.5)
    ways = near[:, None] + _ASIDE_MM * toward[:, None] + depth[None, :, None] * axis
    inside = bone.distance_at(ways.reshape(-1, 3)).reshape(len(near), -1) < 0
    return near, inside.sum(axis=1) * 0.5


RULE = Fixation()
