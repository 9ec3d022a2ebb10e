"""The surface is smooth, and goes on where the bone around it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix

from vesalius.core.image import Array
from vesalius.shapes.design.part import Made, Part, refreshed
from vesalius.shapes.rules.contract import Finding, Rule

NAMES = {"fair": "The surface is smooth, and goes on where the bone around it ends"}
ORDER = 10
OPTIONS = {"roughness_mm": 0.6, "smoothing_mm": 1.2}
LIMITS = {"roughness_mm": {"gt": 0}, "smoothing_mm": {"ge": 0, "le": 5}}
MOST_MM = 2.0  # that the surface is moved


class Fair(Rule):
    """Part and bone are smoothed together, as one body, so that the border between them has no step."""

    name: ClassVar[str] = "fair"

    def mend(self, part: Part, values: Mapping[str, Any]) -> Part:
        """Return the part whose surface is that of the smoothed body, moved by 2 mm at most."""
        sigma = float(values["smoothing_mm"]) / part.step_mm
        if sigma <= 0:
            return part
        body = refreshed(np.minimum(part.distance_mm, part.bone_mm), part.step_mm)
        smooth = ndimage.gaussian_filter(body, sigma)
        within = np.clip(smooth, part.distance_mm - MOST_MM, part.distance_mm + MOST_MM)
        return replace(part, distance_mm=refreshed(within, part.step_mm))

    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Measure how far each vertex stands out of the middle of its neighbours, along the normal."""
        rough = roughness_mm(made.surface.vertices_mm, made.surface.faces)
        worst = float(np.percentile(rough, 95))
        limit = float(values["roughness_mm"])
        return Finding(
            self.name,
            worst <= limit,
            f"95 % of the surface is rough by {worst:.2f} mm at most",
            {"roughness_95_mm": worst},
            f"--rule fair.smoothing_mm={float(values['smoothing_mm']) * 1.5:.2g}",
        )


def roughness_mm(vertices_mm: Array, faces: Array) -> Array:
    """Return of each vertex how far it lies from the mean of its neighbours along its normal, in mm, `(V,)`.

    The umbrella operator of Taubin, "A signal processing approach to fair surface design", SIGGRAPH 1995.
    """
    n = len(vertices_mm)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    joined = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(n, n)).tocsr()
    joined.data[:] = 1.0
    count = np.maximum(np.asarray(joined.sum(axis=1)).ravel(), 1)
    apart = joined @ vertices_mm / count[:, None] - vertices_mm
    a, b, c = (vertices_mm[faces[:, k]] for k in range(3))
    normals = np.zeros((n, 3))
    flat = np.cross(b - a, c - a)
    for k in range(3):
        np.add.at(normals, faces[:, k], flat)
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]
    found: Array = np.abs((apart * normals).sum(axis=1))
    return found


RULE = Fair()
