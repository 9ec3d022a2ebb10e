"""How far places lie outside of a closed surface, or inside it."""

from __future__ import annotations

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array
from vesalius.core.meshes import corner_normals, mesh_of
from vesalius.shapes.distances import nearest


def outward(points: Array, surface: Surface) -> Array:
    """Return how far points `(N, 3)` in LPS mm lie from a closed surface, `(N,)` in mm, negative inside.

    The side is told by the normal at the nearest place, that of its face's corners weighted by how near they are: right
    for surfaces as fine as those about masks. Raises DataError where the surface has no faces.
    """
    own = np.asarray(points, dtype=np.float64)
    apart, places, which = nearest(own, surface)
    vertices, corners = mesh_of(surface)
    normals = corner_normals(vertices, corners)[corners[which]]
    weights = _weights(places, vertices[corners[which]])
    along = ((own - places) * (normals * weights[..., None]).sum(axis=1)).sum(axis=1)
    found: Array = np.where(along < 0, -apart, apart)
    return found


def _weights(places: Array, corners: Array) -> Array:
    """Return the barycentric weights `(N, 3)` of places on faces `(N, 3, 3)`."""
    a, b, c = (corners[:, k] for k in range(3))
    parts = [np.linalg.norm(np.cross(x - places, y - places), axis=1) for x, y in ((b, c), (c, a), (a, b))]
    found = np.stack(parts, axis=1) + 1e-12
    whole: Array = found / found.sum(axis=1, keepdims=True)
    return whole
