"""Distances between surfaces, exact from points to faces, weighted by area."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy.spatial import cKDTree

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.meshes import areas, mesh_of

STEPS = 100  # of the larger mesh's diagonal, by which both are sampled
MOST_SAMPLES = 30_000  # of each mesh
SHARE = 1 << 14  # points whose faces are looked for together


@dataclass(frozen=True)
class Distances:
    """How far two surfaces are apart, in mm, each weighted by area.

    `mean_mm` is the mean of both directions' means, `hd_mm` the larger of both directions' largest, `hd95_mm` that of
    both directions' 95th percentiles, as `hd95_mm` of masks. `surface_dice` is the share of both areas within
    `tolerance_mm` of the other (Nikolov et al. 2021). `step_mm` is how finely the surfaces were sampled: what lies
    between samples can be up to half of it farther.
    """

    mean_mm: float
    hd_mm: float
    hd95_mm: float
    surface_dice: float
    tolerance_mm: float
    step_mm: float

    def json(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


def distances(a: Surface, b: Surface, *, tolerance_mm: float = 1.0) -> Distances:
    """Return how far two surfaces are apart. Raises DataError where one has no faces, or for a negative tolerance."""
    if not tolerance_mm >= 0:
        raise DataError("a tolerance is no less than 0 mm", found=f"{tolerance_mm:g}")
    for surface in (a, b):
        if not len(surface.faces):
            raise DataError("distances are measured between meshes, and one has no faces")
    corners = np.concatenate([np.asarray(x.vertices_mm, np.float64) for x in (a, b)])
    step = float(np.linalg.norm(np.ptp(corners, axis=0))) / STEPS
    step = max(step, *(np.sqrt(area_mm2(x) / MOST_SAMPLES) for x in (a, b)))
    found = []
    for one, other in ((a, b), (b, a)):
        points, weights = sampled(one, step)
        found.append((to_surface(points, other), weights))
    means = [float(np.average(far, weights=weights)) for far, weights in found]
    return Distances(
        mean_mm=sum(means) / 2,
        hd_mm=max(float(far.max()) for far, _ in found),
        hd95_mm=max(_percentile(far, weights, 0.95) for far, weights in found),
        surface_dice=_within(found, tolerance_mm),
        tolerance_mm=tolerance_mm,
        step_mm=float(step),
    )


def area_mm2(surface: Surface) -> float:
    """Return the area of a mesh's faces in mm²."""
    points, faces = mesh_of(surface)
    return float(areas(points, faces).sum())


def _within(found: list[tuple[Array, Array]], tolerance: float) -> float:
    near = sum(float(weights[far <= tolerance].sum()) for far, weights in found)
    return near / sum(float(weights.sum()) for _, weights in found)


def _percentile(values: Array, weights: Array, share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    place = int(np.searchsorted(reached, share * reached[-1]))
    return float(values[order][min(place, len(order) - 1)])


def sampled(surface: Surface, step: float) -> tuple[Array, Array]:
    """Return points `(N, 3)` over a mesh's faces, about `step` mm apart, and the area `(N,)` that each stands for.

    A face is cut into n² alike triangles, whose middles they are.
    """
    points, faces = mesh_of(surface)
    corners = points[faces]
    size = areas(points, faces)
    longest = np.max([np.linalg.norm(corners[:, k] - corners[:, k - 1], axis=1) for k in range(3)], axis=0)
    cuts = np.clip(np.rint(longest / step), 1, 256).astype(int)
    places, weights = [], []
    for n in np.unique(cuts):
        held = corners[cuts == n]
        middles = _middles(int(n))
        places.append(np.einsum("mk,fkd->fmd", middles, held).reshape(-1, 3))
        weights.append(np.repeat(size[cuts == n] / n**2, len(middles)))
    return np.concatenate(places), np.concatenate(weights)


def _middles(n: int) -> Array:
    """Return the middles `(n², 3)` of a triangle's n² parts, as shares of its corners."""
    found = []
    for i in range(n):
        for j in range(n - i):
            found.append((i + 1 / 3, j + 1 / 3))
            if i + j < n - 1:
                found.append((i + 2 / 3, j + 2 / 3))
    shares = np.array(found) / n
    return np.column_stack([shares, 1 - shares.sum(axis=1)])


def to_surface(points: Array, surface: Surface) -> Array:
    """Return how far points `(N, 3)` in LPS mm are from a mesh's faces, `(N,)` in mm."""
    return nearest(points, surface)[0]


def nearest(points: Array, surface: Surface) -> tuple[Array, Array, Array]:
    """Return the distance `(N,)` of points `(N, 3)` from a mesh, the nearest places on it `(N, 3)`, and their faces.

    It is exact: of the faces whose balls can hold a nearer place, none is left out. Raises DataError where there are
    none.
    """
    vertices, faces = mesh_of(surface)
    if not len(faces):
        raise DataError("a mesh without faces has no nearest place")
    points = np.asarray(points, np.float64).reshape(-1, 3)
    corners = vertices[faces]
    centres = corners.mean(axis=1)
    radii = np.sqrt(((corners - centres[:, None]) ** 2).sum(axis=2).max(axis=1))
    best = np.full(len(points), np.inf)
    place, face = np.zeros_like(points), np.zeros(len(points), np.int64)
    classes = np.floor(np.log2(np.maximum(radii, 1e-6 * max(float(radii.max()), 1e-300)))).astype(int)
    for size in np.unique(classes):
        held = np.flatnonzero(classes == size)
        tree, reach = cKDTree(centres[held]), float(radii[held].max())
        for start in range(0, len(points), SHARE):
            own = np.arange(start, min(start + SHARE, len(points)))
            _nearer(own, points, corners, held, tree, reach, (best, place, face))
    return best, place, face


def _nearer(
    own: Array,
    points: Array,
    corners: Array,
    held: Array,
    tree: cKDTree,
    reach: float,
    found: tuple[Array, Array, Array],
) -> None:
    """Put nearer places than those found so far, on faces of one size, into their distances, places and faces.

    Faces are tried by how near their middles are, until the next one's ball cannot hold a nearer place.
    """
    best, place, face = found
    tried, number = 0, 4
    while len(own) and tried < len(held):
        number = min(number, len(held))
        far, which = tree.query(points[own], k=range(tried + 1, number + 1))
        for column in range(far.shape[1]):
            hopeful = far[:, column] < best[own] + reach
            mine, theirs = own[hopeful], held[which[hopeful, column]]
            if len(mine):
                apart, there = _to_faces(points[mine], corners[theirs])
                near = apart < best[mine]
                best[mine[near]], place[mine[near]], face[mine[near]] = apart[near], there[near], theirs[near]
        own = own[far[:, -1] < best[own] + reach]
        tried, number = number, number * 2


def _to_faces(points: Array, corners: Array) -> tuple[Array, Array]:
    """Return the distance of each point `(N, 3)` from its face `(N, 3, 3)`, and the nearest place there."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    places = [_on_side(points, *ends) for ends in ((a, b), (b, c), (c, a))]
    ab, ac = b - a, c - a
    normal = np.cross(ab, ac)
    square = np.einsum("ij,ij->i", normal, normal)
    safe = np.where(square > 0, square, 1.0)
    ap = points - a
    v = np.einsum("ij,ij->i", np.cross(ap, ac), normal) / safe
    w = np.einsum("ij,ij->i", np.cross(ab, ap), normal) / safe
    within = (v >= 0) & (w >= 0) & (v + w <= 1) & (square > 0)
    foot = a + v[:, None] * ab + w[:, None] * ac
    fars = np.stack([((points - x) ** 2).sum(axis=1) for x in places])
    nearest_side = fars.argmin(axis=0)
    side = np.stack(places)[nearest_side, np.arange(len(points))]
    found = np.where(within[:, None], foot, side)
    return np.linalg.norm(points - found, axis=1), found


def _on_side(points: Array, start: Array, end: Array) -> Array:
    along = end - start
    square = np.einsum("ij,ij->i", along, along)
    share = np.einsum("ij,ij->i", points - start, along) / np.where(square > 0, square, 1.0)
    return np.asarray(start + np.clip(share, 0, 1)[:, None] * along)
