"""How thick a solid is at each place of its surface: the width of the ball that fits inside and touches there."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array
from vesalius.core.meshes import corner_normals, mesh_of

ROUNDS = 40  # in which a ball shrinks
APART = np.cos(np.deg2rad(40))  # two contacts closer than this, seen from the middle, are one
CLOSE = 1e-4  # of its radius by which a ball still shrinks when it is left


def thickness(surface: Surface) -> Array:
    """Return the thickness in mm at each vertex, `(V,)`; NaN where no other wall is met, as of an open sheet.

    A ball touches the surface from inside and shrinks until it holds no other vertex (Ma, Bae and Choi, 3D medial axis
    point approximation, 2012); contacts less than 40° apart are noise of one wall (Peters 2018). It is as fine as the
    vertices lie: a wall thinner than they are apart is not told.
    """
    points, faces = mesh_of(surface)
    normals = corner_normals(points, faces)
    found = np.full(len(points), np.nan)
    usable = np.linalg.norm(normals, axis=1) > 0
    if not usable.any() or not len(faces):
        return found
    seen = np.zeros(len(points), bool)
    seen[faces.reshape(-1)] = True
    held = np.flatnonzero(usable & seen)
    own, inward = points[held], -normals[held]
    diagonal = float(np.linalg.norm(np.ptp(own, axis=0)))
    radius = _shrunk(own, inward, diagonal)
    met = radius < diagonal * (1 - 1e-9)
    found[held[met]] = 2 * radius[met]
    return found


def _shrunk(points: Array, inward: Array, largest: float) -> Array:
    """Return the radius `(N,)` of the largest ball inside at each point; `largest` where it met nothing."""
    tree = cKDTree(points)
    radius = np.full(len(points), largest)
    open_ = np.arange(len(points))
    for _ in range(ROUNDS):
        if not len(open_):
            break
        own, along, now = points[open_], inward[open_], radius[open_]
        centre = own + along * now[:, None]
        far, place = tree.query(centre, k=2)
        place = np.where(place[:, 0] == open_, place[:, 1], place[:, 0])
        far = np.linalg.norm(points[place] - centre, axis=1)
        other = points[place] - own
        towards = np.einsum("ij,ij->i", other, along)
        square = np.einsum("ij,ij->i", other, other)
        holds = (far < now * (1 - CLOSE)) & (towards > 0)
        smaller = np.divide(square, 2 * towards, out=now.copy(), where=holds)
        middle = own + along * smaller[:, None]
        seen = np.einsum("ij,ij->i", own - middle, points[place] - middle) / np.maximum(smaller**2, 1e-300)
        holds &= (seen < APART) & (smaller < now)
        radius[open_[holds]] = smaller[holds]
        open_ = open_[holds]
    return radius
