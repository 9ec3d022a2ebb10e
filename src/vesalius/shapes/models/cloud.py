"""A surface as points with normals, spread evenly over it: what registrations compare."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.core.image import Array

SAMPLES = 4000


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points `(N, 3)` in mm with their outward unit normals `(N, 3)`."""

    points_mm: Array
    normals: Array

    @cached_property
    def tree(self) -> cKDTree:
        """What finds the nearest points."""
        return cKDTree(self.points_mm)

    @property
    def middle_mm(self) -> Array:
        """The mean of the points, `(3,)`."""
        return np.asarray(self.points_mm.mean(axis=0))

    @property
    def size_mm(self) -> float:
        """The root mean square distance of the points from their middle."""
        return float(np.sqrt(((self.points_mm - self.middle_mm) ** 2).sum(axis=1).mean()))

    @property
    def step_mm(self) -> float:
        """The usual distance of neighbouring points."""
        return float(np.median(self.tree.query(self.points_mm, k=2)[0][:, 1]))

    def only(self, chosen: Array) -> Cloud:
        """Return some of the points, by their numbers or a mask."""
        return Cloud(self.points_mm[chosen], self.normals[chosen])

    def thinned(self, most: int) -> Cloud:
        """Return at most so many of the points, evenly taken."""
        if len(self.points_mm) <= most:
            return self
        return self.only(np.linspace(0, len(self.points_mm) - 1, most).astype(int))

    def mirrored(self) -> Cloud:
        """Return the mirror image from left to right: the first axis of LPS turned about the middle."""
        flip = np.array([-1.0, 1.0, 1.0])
        middle = self.middle_mm
        return Cloud((self.points_mm - middle) * flip + middle, self.normals * flip)

    def distance_mm(self, points_mm: Array) -> Array:
        """Return how far points `(M, 3)` are from the surface, `(M,)`: along its normal where they lie beside it."""
        far, near = self.tree.query(points_mm)
        along = np.abs(((points_mm - self.points_mm[near]) * self.normals[near]).sum(axis=1))
        return np.asarray(np.where(far <= 2 * self.step_mm, along, far))


def cloud_of(surface: Surface, *, samples: int = SAMPLES, seed: int = 0) -> Cloud:
    """Return points spread over a surface by area, seeded, with the normals of the faces that they lie on.

    Raises DataError where the surface has no area or is not finite.
    """
    points = np.asarray(surface.vertices_mm, dtype=np.float64)
    faces = np.asarray(surface.faces, dtype=np.int64)
    corners = points[faces] if len(faces) else np.zeros((0, 3, 3))
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled = np.linalg.norm(across, axis=1)
    total = float(doubled.sum())
    if not np.isfinite(total) or total <= 0:
        raise DataError("a surface without area", found=f"{len(faces)} faces", hint="another mesh")
    random = np.random.default_rng(seed)
    ends = np.cumsum(doubled)
    at = (
        (np.arange(samples) + random.random(samples)) / samples * ends[-1]
    )  # one in each equal share of the area
    chosen = np.minimum(np.searchsorted(ends, at), len(faces) - 1)
    chosen = random.permutation(chosen)
    a, b = random.random((2, samples))
    a, b = np.where(a + b > 1, 1 - a, a), np.where(a + b > 1, 1 - b, b)
    own = corners[chosen]
    spread = own[:, 0] + a[:, None] * (own[:, 1] - own[:, 0]) + b[:, None] * (own[:, 2] - own[:, 0])
    return Cloud(spread, across[chosen] / doubled[chosen][:, None])


def vertex_normals(points_mm: Array, faces: Array) -> Array:
    """Return the outward unit normal of each vertex, `(V, 3)`, weighted by the area of the faces around it."""
    across = np.cross(
        points_mm[faces[:, 1]] - points_mm[faces[:, 0]], points_mm[faces[:, 2]] - points_mm[faces[:, 0]]
    )
    found = np.zeros_like(points_mm)
    for corner in range(3):
        for axis in range(3):
            found[:, axis] += np.bincount(faces[:, corner], across[:, axis], minlength=len(points_mm))
    size = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(size > 0, size, 1.0))
