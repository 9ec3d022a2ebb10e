"""How far the surfaces of a mask's labels moved between two visits that are registered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from vesalius.answers._grown import Side
from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.image import Array, Image
from vesalius.core.meshes import areas, corner_normals, mesh_of
from vesalius.core.moved import Moved, Way
from vesalius.core.palette import colour_of
from vesalius.core.words import listed
from vesalius.prepare.between import Between
from vesalius.shapes.distances import nearest
from vesalius.shapes.extract import surface_of_bits

MOST_LABELS = 12  # whose surfaces are measured, the largest first
MOST_POINTS = 4000  # vertices of each surface that are measured
LEAST = 8  # voxels below which a label has no surface that says anything


@dataclass(frozen=True, eq=False)
class _Measured:
    """Points of one surface: how far each is from the other one, positive for outward growth, and its area in mm²."""

    far: Array
    area: Array
    seen: Array


def surfaces_moved(
    labels: Sequence[Label], sides: Callable[[str], tuple[Side, Side]], between: Between
) -> tuple[tuple[Moved, ...], tuple[str, ...]]:
    """Return how far each label's surface moved, the largest labels' first, and what is to be said of them.

    Nothing of pictures, of images without a place, of those that are not registered, and of one image twice.
    """
    if between.same or not between.placed or any(_placeless(x) for x in (between.earlier, between.later)):
        return (), ()
    sizes = []
    for place, label in enumerate(labels):
        one, two = (int(np.count_nonzero(side.bits)) for side in sides(label.name))
        if min(one, two) >= LEAST:
            sizes.append((-max(one, two), place))
    kept, left = sorted(sizes)[:MOST_LABELS], sorted(sizes)[MOST_LABELS:]
    found = []
    for _, place in sorted(kept, key=lambda pair: pair[1]):
        made = _moved(labels[place], place, sides(labels[place].name), between)
        found += [made] if made is not None else []
    notes = [f"surfaces are measured of the {MOST_LABELS} largest labels, not of "
             f"{listed([labels[k].name for _, k in left], 6)}"] if left else []  # fmt: skip
    return tuple(found), tuple(notes)


def _placeless(image: Image) -> bool:
    return image.affine is None or image.is_2d or image.array.ndim != 4


def _moved(label: Label, place: int, sides: tuple[Side, Side], between: Between) -> Moved | None:
    """Return how far one label's surface moved; None where no part of it is seen at both visits."""
    affines = between.earlier.affine, between.later.affine
    if affines[0] is None or affines[1] is None:
        return None
    one, two = (surface_of_bits(s.bits, a) for s, a in zip(sides, affines, strict=True))
    matrix = between.registration.matrix
    back = np.linalg.inv(matrix)
    laid = Surface(vertices_mm=_at(one.vertices_mm, back), faces=one.faces)
    here, held = _chosen(two), _chosen(laid)
    later = _measured(two, here, laid, 1.0, between, matrix)
    earlier = _measured(laid, held, two, -1.0, between, matrix)
    seen = np.concatenate([later.seen, earlier.seen])
    area = np.concatenate([later.area, earlier.area])
    far = np.concatenate([later.far, earlier.far])
    if not area[seen].sum() > 0:
        return None
    share = float(area[seen].sum() / area.sum())
    far, area = far[seen], area[seen]
    doubt, why = _doubt(between)
    return Moved(
        label.name,
        float(np.average(far, weights=area)),
        _percentile(np.abs(far), area),
        _way(far, area),
        _way(-far, area),
        doubt,
        why,
        share,
        colour_of(label, place),
        two,
        _spread(two, here, np.where(later.seen, later.far, np.nan)),
    )


def _chosen(surface: Surface) -> Array:
    """Return the vertices that are measured: all, or as many as are allowed, evenly from a fixed order."""
    count = len(surface.vertices_mm)
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:MOST_POINTS])


def _measured(
    surface: Surface, chosen: Array, other: Surface, outward: float, between: Between, matrix: Array
) -> _Measured:
    """Return how far chosen vertices, in the later visit's place, are from the other surface."""
    points, faces = mesh_of(surface)
    area = np.bincount(faces.ravel(), np.repeat(areas(points, faces) / 3, 3), minlength=len(points))[chosen]
    own = points[chosen]
    apart, places, which = nearest(own, other)
    vertices, corners = mesh_of(other)
    normals = corner_normals(vertices, corners)[corners[which]]
    weights = _weights(places, vertices[corners[which]])
    along = ((own - places) * (normals * weights[..., None]).sum(axis=1)).sum(axis=1)
    far = outward * np.where(along < 0, -apart, apart)
    seen = _within(own, between.later) & _within(_at(own, matrix), between.earlier)
    return _Measured(far, area, seen)


def _weights(places: Array, corners: Array) -> Array:
    """Return the barycentric weights `(N, 3)` of places on faces `(N, 3, 3)`."""
    a, b, c = (corners[:, k] for k in range(3))
    parts = [np.linalg.norm(np.cross(x - places, y - places), axis=1) for x, y in ((b, c), (c, a), (a, b))]
    found = np.stack(parts, axis=1) + 1e-12
    whole: Array = found / found.sum(axis=1, keepdims=True)
    return whole


def _at(points: Array, matrix: Array) -> Array:
    found: Array = points @ matrix[:3, :3].T + matrix[:3, 3]
    return found


def _within(points: Array, image: Image) -> Array:
    """Return which points lie between the middles of an image's outermost voxels."""
    index = _at(points, np.linalg.inv(np.asarray(image.affine)))
    found: Array = ((index >= 0) & (index <= np.array(image.shape[::-1]) - 1)).all(axis=1)
    return found


def _way(far: Array, area: Array) -> Way:
    """Return how far what moved by more than nothing moved, of distances that are positive that way."""
    there = far > 0
    if not there.any():
        return Way()
    own, weights = far[there], area[there]
    share = float(weights.sum() / area.sum())
    return Way(share, float(np.average(own, weights=weights)), _percentile(own, weights), float(own.max()))


def _percentile(values: Array, weights: Array) -> float:
    """Return the value that 95 % of the weights do not exceed."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    place = int(np.searchsorted(reached, 0.95 * reached[-1]))
    return float(values[order][min(place, len(order) - 1)])


def _spread(surface: Surface, chosen: Array, far: Array) -> Array:
    """Return a number at each vertex: its own where it was measured, else that of the nearest that was."""
    points = np.asarray(surface.vertices_mm)
    if len(chosen) == len(points):
        return far
    found: Array = far[cKDTree(points[chosen]).query(points)[1]]
    return found


def _doubt(between: Between) -> tuple[float | None, str]:
    """Return how far surfaces may be apart though nothing moved, and why that is not known where it is not."""
    found = between.registration
    if found.apart is None:
        return None, f"how far the registration is off was not measured ({found.by})"
    sides = [
        np.linalg.norm(np.asarray(x.affine)[:3, :3], axis=0).max() for x in (between.earlier, between.later)
    ]
    return float(found.apart + max(sides) / 2), ""
