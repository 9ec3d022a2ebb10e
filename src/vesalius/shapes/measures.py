"""What a mesh measures: volume, area, extent, curvature and thickness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array, Triple
from vesalius.core.meshes import areas, enclosed, mesh_of
from vesalius.shapes.checks import linked
from vesalius.shapes.curvature import curvature as curvature
from vesalius.shapes.distances import area_mm2
from vesalius.shapes.thickness import thickness

MOST_WALLS = 1_000_000  # vertices up to which thickness is measured


@dataclass(frozen=True)
class Measures:
    """What a mesh measures. `volume_ml` is None of one that is not closed, for it encloses none.

    `extent_mm` is along x, y, z. `curvature_per_mm` and `thickness_mm` hold `p05`, `median` and `p95` over the area;
    empty where nothing could be measured.
    """

    volume_ml: float | None
    area_cm2: float
    extent_mm: Triple
    curvature_per_mm: Mapping[str, float]
    thickness_mm: Mapping[str, float]

    def json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def volume_ml(surface: Surface) -> float | None:
    """Return the volume that a closed mesh encloses in ml, cavities taken away; None where it is open."""
    points, faces = mesh_of(surface)
    opened, crowded, twisted, _, _ = linked(faces, len(points))
    if not len(faces) or opened or crowded or twisted:
        return None
    return enclosed(points, faces) / 1000


def area_cm2(surface: Surface) -> float:
    """Return the area of a mesh's faces in cm²."""
    return area_mm2(surface) / 100


def measured(surface: Surface) -> Measures:
    """Return what a mesh measures. Raises DataError where it is no mesh, or has no faces."""
    points, faces = mesh_of(surface)
    weights: Array = np.zeros(len(points))
    if len(faces):
        weights = np.bincount(
            faces.reshape(-1), weights=np.repeat(areas(points, faces), 3), minlength=len(points)
        )
    held = points[weights > 0]
    wide = np.ptp(held, axis=0) if len(held) else np.zeros(3)
    walls = thickness(surface) if len(points) <= MOST_WALLS else np.full(len(points), np.nan)
    return Measures(
        volume_ml(surface),
        area_cm2(surface),
        (float(wide[0]), float(wide[1]), float(wide[2])),
        _spread(curvature(surface)[0], weights) if len(faces) else {},
        _spread(walls, weights),
    )


def _spread(values: Array, weights: Array) -> dict[str, float]:
    """Return the 5th, 50th and 95th percentile over the area; empty where nothing is known."""
    known = np.isfinite(values) & (weights > 0)
    if not known.any():
        return {}
    order = np.argsort(values[known])
    reached = np.cumsum(weights[known][order])
    sorted_ = values[known][order]
    places = np.searchsorted(reached, np.array([0.05, 0.5, 0.95]) * reached[-1])
    return {
        name: float(sorted_[min(int(k), len(sorted_) - 1)])
        for name, k in zip(("p05", "median", "p95"), places, strict=True)
    }
