"""The plane about which a shape is most symmetric, and the shape mirrored in it, in LPS millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array
from vesalius.shapes.fitting import moved
from vesalius.shapes.points import Matcher, Points, points_of

LAST = 0.92  # share of the points that the last rounds count, for asymmetry is to be halved, not left aside
KEPT = 0.75  # share of the points that a fit counts, the nearest: what a defect lacks is not among them
STARTS, REFINED = 48, 6  # directions that are tried, and how many of them are refined
APART_DEG = 12.0  # two planes nearer to one another are the same one
RIVAL, DOUBTED = (
    1.25,
    1.5,
)  # times the best plane's residual: another one fits alike; another one is worth a word
UNLIKE = 0.05  # of a shape's radius: with a larger residual it is hardly symmetric


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane in LPS mm: a point (3,) of it and its unit normal (3,), whose largest component is positive."""

    point_mm: Array
    normal: Array

    @staticmethod
    def of(point: Array, normal: Array) -> Plane:
        """Return the plane through a point along a normal of any length.

        Raises GeometryError for a normal without a length.
        """
        way, size = np.asarray(normal, float), float(np.linalg.norm(normal))
        if not np.isfinite(size) or size < 1e-9:
            raise GeometryError("a plane's normal has a length", found=str(np.asarray(normal).tolist()))
        way = way / size
        sign = 1.0 if way[int(np.argmax(np.abs(way)))] > 0 else -1.0
        return Plane(np.asarray(point, float), way * sign)

    def signed_mm(self, points: Array) -> Array:
        """Return how far points `(…, 3)` lie from the plane, positive along the normal."""
        found: Array = (np.asarray(points) - self.point_mm) @ self.normal
        return found

    def matrix(self) -> Array:
        """Return the reflection (4, 4) of LPS mm in the plane."""
        made = np.eye(4)
        made[:3, :3] -= 2 * np.outer(self.normal, self.normal)
        made[:3, 3] = 2 * float(self.point_mm @ self.normal) * self.normal
        return made

    def apart(self, other: Plane) -> float:
        """Return the angle between two planes in degrees, 0 to 90."""
        return float(np.degrees(np.arccos(np.clip(abs(float(self.normal @ other.normal)), 0, 1))))


@dataclass(frozen=True, eq=False)
class Symmetry:
    """A fitted plane, how far the mirrored shape lies from the shape in mm, and what is to be doubted.

    `residual_mm` is a root mean square along the surface's normal over the nearest three quarters of the points;
    `rival` is how many times worse the next plane fits. `doubt` is a sentence, or None.
    """

    plane: Plane
    residual_mm: float
    rival: float
    doubt: str | None


def symmetry_plane(mask: Array, affine: Array, *, near: Array | None = None, level: float = 0.5) -> Symmetry:
    """Return the plane that a mask or a field `(Z, Y, X)` is most symmetric about.

    Planes across the shape's principal axes, across the grid's axes and across directions spread over the sphere are
    tried; the best are refined by matching the mirrored surface to the surface, nearest points first in closed form and
    then along normals, over the nearest three quarters of the points (trimmed: Chetverikov et al. 2005). With `near`,
    an LPS direction such as (1, 0, 0), only planes whose normal lies within 45° of it are. `level` bounds a field.

    Raises DataError where several planes fit alike, as on a sphere or a box, and what `points_of` raises.
    """
    points = points_of(mask, affine, level=level)
    onto = Matcher.of(points)
    starts = _starts(points, affine, near)
    few = points.some(500)
    tried = sorted(((_cost(few, onto, start), k) for k, start in enumerate(starts)), key=lambda one: one[0])
    chosen: list[Plane] = []
    for _, k in tried:
        if all(starts[k].apart(other) > APART_DEG for other in chosen):
            chosen.append(starts[k])
        if len(chosen) == REFINED:
            break
    fits = sorted(
        ((_cost(points.some(4000), onto, p), p) for p in (_refined(points, onto, c) for c in chosen)),
        key=lambda one: one[0],
    )
    if near is not None:
        fits = [one for one in fits if _near(one[1].normal, near)]
        if not fits:
            raise DataError("no plane near that direction fits", hint="leave the direction away")
    return _judged(fits, points, onto, voxel_mm=float(np.abs(np.linalg.det(affine[:3, :3])) ** (1 / 3)))


def mirrored(mask: Array, affine: Array, plane: Plane) -> Array:
    """Return a mask (bool) or a field `(Z, Y, X)` mirrored in a plane, on its own grid; nothing lies beyond the grid.

    The reflection is one of LPS mm, so that it is right on oblique and left-handed grids and voxels of any shape.
    """
    return moved(mask, affine, plane.matrix())


def _starts(points: Points, affine: Array, near: Array | None) -> list[Plane]:
    """Return planes through the middle to begin from."""
    middle = points.places.mean(axis=0)
    away = points.places - middle
    axes = [*np.linalg.eigh(away.T @ away)[1].T, *(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)).T]
    k = np.arange(STARTS) + 0.5
    z, turn = k / STARTS, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - z**2)
    axes += list(np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=1))
    planes = [Plane.of(middle, axis) for axis in axes]
    if near is None:
        return planes
    planes.append(Plane.of(middle, np.asarray(near, float)))
    return [plane for plane in planes if _near(plane.normal, near)]


def _near(normal: Array, near: Array) -> bool:
    way = np.asarray(near, float)
    return bool(abs(float(normal @ way)) >= np.cos(np.radians(45)) * float(np.linalg.norm(way)))


def _cost(points: Points, onto: Matcher, plane: Plane) -> float:
    """Return the root mean square distance of the mirrored points that lie nearest, in mm."""
    _, far = onto.nearest(points.moved(plane.matrix()))
    kept = np.sort(far)[: max(int(KEPT * len(far)), 1)]
    return float(np.sqrt(np.mean(kept**2)))


def _refined(points: Points, onto: Matcher, plane: Plane) -> Plane:
    """Return a plane refined: in closed form from matched points, then by least squares along normals."""
    for number, rounds, share, by in (
        (700, 12, KEPT, _closed),
        (2000, 6, KEPT, _closed),
        (6000, 8, LAST, _along),
    ):
        some = points.some(number)
        for _ in range(rounds):
            found, far = onto.nearest(some.moved(plane.matrix()))
            kept = far <= np.quantile(far, share)
            before = plane
            plane = by(plane, some.places[kept], onto.points, found[kept])
            if before.apart(plane) < 2e-3 and abs(float(before.signed_mm(plane.point_mm))) < 2e-3:
                break
    return plane


def _closed(plane: Plane, places: Array, target: Points, found: Array) -> Plane:
    """Return the plane that mirrors `places` closest to their matches.

    |Mp − q|² = |p − q|² + 4 (n·p − d)(n·q − d): d is the mean of n·(p + q)/2, n the least eigenvalue's eigenvector.
    """
    other = target.places[found]
    middle = (places + other).mean(axis=0) / 2
    cross = (places - middle).T @ (other - middle)
    _, axes = np.linalg.eigh(cross + cross.T)
    return Plane.of(middle, axes[:, 0])


def _along(plane: Plane, places: Array, target: Points, found: Array) -> Plane:
    """Return the plane after a Gauss–Newton step on distances along the matches' normals."""
    middle, n = places.mean(axis=0), plane.normal
    away, facing = places - middle, target.normals[found]
    d = float((plane.point_mm - middle) @ n)
    height = away @ n - d
    left = ((away - 2 * height[:, None] * n - (target.places[found] - middle)) * facing).sum(axis=1)
    along = facing @ n
    _, _, turn = np.linalg.svd(n[None])
    columns = [2 * along]
    columns += [-2 * ((away @ e) * along + height * (facing @ e)) for e in turn[1:]]
    step = np.linalg.lstsq(np.stack(columns, axis=1), -left, rcond=None)[0]
    normal = n + step[1] * turn[1] + step[2] * turn[2]
    normal = normal / np.linalg.norm(normal)
    return Plane.of(middle + (d + step[0]) * normal, normal)


def _judged(fits: list[tuple[float, Plane]], points: Points, onto: Matcher, *, voxel_mm: float) -> Symmetry:
    """Return the best plane with its doubt. Raises DataError where another one fits alike."""
    cost, plane = fits[0]
    others = [(c, p) for c, p in fits[1:] if p.apart(plane) > APART_DEG]
    allowed = max(cost, 0.15 * voxel_mm)
    alike = [p for c, p in others if c < RIVAL * allowed]
    if alike:
        raise DataError(
            "a shape that several planes halve alike has no plane of symmetry of its own",
            found=f"{len(alike) + 1} planes, {plane.apart(alike[0]):.0f}° apart, within {cost:.2g} mm",
            hint="near=(1, 0, 0), the LPS direction that the plane lies across",
        )
    rival = min((c for c, _ in others), default=np.inf) / allowed
    matched, far = onto.nearest(points.moved(plane.matrix()))
    kept = far <= np.quantile(far, KEPT)
    gap = points.moved(plane.matrix()).places - onto.points.places[matched]
    residual = float(np.sqrt(np.mean((gap * onto.points.normals[matched]).sum(axis=1)[kept] ** 2)))
    doubts = []
    if rival < DOUBTED:
        doubts.append(f"another plane fits only {rival:.2g} times worse")
    if residual > UNLIKE * points.radius_mm:
        doubts.append(f"the shape lies {residual:.2g} mm from its mirror image and is hardly symmetric")
    at = plane.point_mm + 0.0
    middle = points.places.mean(axis=0)
    on_plane = middle - float((middle - at) @ plane.normal) * plane.normal
    return Symmetry(Plane.of(on_plane, plane.normal), residual, float(rival), "; ".join(doubts) or None)
