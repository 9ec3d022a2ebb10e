"""The plane about which a shape is most symmetric, and the shape mirrored in it, in LPS millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array
from vesalius.shapes.fitting import moved
from vesalius.shapes.points import Matcher, Points, points_of

KEPT = 0.75  # share of the points that a fit counts, the nearest: what a defect lacks is not among them
STARTS, REFINED = 48, 6  # directions that are tried, and how many of them are refined
APART_DEG, RIVAL_DEG = (
    12.0,
    30.0,
)  # planes nearer to one another are the same one; further apart they are rivals
FAR = 0.12  # of a shape's radius: no point counts as further than that
CUT = 3.0  # times the median distance, beyond which a point has no counterpart
ALIKE, DOUBTED = 0.08, 0.2  # share by which a plane is ahead, below which another one fits alike, or nearly
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
    `ahead` is the share of the surface that lies nearer to its mirror image by this plane than by the next one, less the
    share for which it is the other way round. `doubt` is a sentence, or None.
    """

    plane: Plane
    residual_mm: float
    ahead: float
    doubt: str | None


def symmetry_plane(mask: Array, affine: Array, *, near: Array | None = None, level: float = 0.5) -> Symmetry:
    """Return the plane that a mask or a field `(Z, Y, X)` is most symmetric about.

    Planes across the shape's principal axes, across the grid's axes and across directions spread over the sphere are
    tried; the best are refined by matching the mirrored surface to the surface: in closed form over the nearest three
    quarters of the points (trimmed: Chetverikov et al. 2005), then along normals over all that is not far. With `near`,
    an LPS direction such as (1, 0, 0), only planes whose normal lies within 45° of it are. `level` bounds a field.

    Raises DataError where several planes fit alike, as on a sphere or a box, and what `points_of` raises.
    """
    points = points_of(mask, affine, level=level)
    rough = Matcher.of(points.some(3000))
    few = points.some(250)
    starts = sorted(_starts(points, affine, near), key=lambda start: _cost(few, rough, start))
    chosen: list[Plane] = []
    for start in starts:
        if all(start.apart(other) > APART_DEG for other in chosen):
            chosen.append(start)
        if len(chosen) == REFINED:
            break
    found = [_closest(points, rough, start) for start in chosen]
    some = points.some(1500)
    fits = sorted(((_cost(some, rough, plane), plane) for plane in found), key=lambda fit: fit[0])
    if near is not None:
        fits = [fit for fit in fits if _near(fit[1].normal, near)]
        if not fits:
            raise DataError("no plane near that direction fits", hint="leave the direction away")
    return _judged(fits, points, voxel_mm=float(np.abs(np.linalg.det(affine[:3, :3])) ** (1 / 3)))


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
    """Return the root mean square distance of the mirrored points in mm, none of which counts as too far."""
    _, far = onto.nearest(points.moved(plane.matrix()))
    return float(np.sqrt(np.mean(np.minimum(far, FAR * points.radius_mm) ** 2)))


def _ahead(points: Points, onto: Matcher, plane: Plane, other: Plane, *, voxel_mm: float) -> float:
    """Return the share of points that one plane brings nearer to the surface than another, less the reverse share."""
    one, two = (onto.nearest(points.moved(p.matrix()))[1] for p in (plane, other))
    margin = max(0.5 * voxel_mm, float(np.median(one)))
    return float((two > one + margin).mean() - (one > two + margin).mean())


def _closest(points: Points, onto: Matcher, plane: Plane) -> Plane:
    """Return a plane refined in closed form, from matched points of few."""
    some = points.some(600)
    for _ in range(25):
        found, far = onto.nearest(some.moved(plane.matrix()))
        kept = far <= np.quantile(far, KEPT)
        before, plane = plane, _closed(some.places[kept], onto.points, found[kept])
        if before.apart(plane) < 0.05 and abs(float(before.signed_mm(plane.point_mm))) < 0.02:
            break
    return plane


def _settled(points: Points, onto: Matcher, plane: Plane) -> Plane:
    """Return a plane refined along normals over all that lies within thrice the median distance.

    So asymmetry is halved by the plane and not left aside, and what a defect lacks is.
    """
    some = points.some(5000)
    for _ in range(10):
        found, far = onto.nearest(some.moved(plane.matrix()))
        kept = far <= max(CUT * float(np.median(far)), float(np.quantile(far, KEPT)))
        before, plane = plane, _along(plane, some.places[kept], onto.points, found[kept])
        if before.apart(plane) < 5e-3 and abs(float(before.signed_mm(plane.point_mm))) < 5e-3:
            break
    return plane


def _closed(places: Array, target: Points, found: Array) -> Plane:
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


def _judged(fits: list[tuple[float, Plane]], points: Points, *, voxel_mm: float) -> Symmetry:
    """Return the best plane, settled, with its doubt. Raises DataError where another one fits alike."""
    rough, onto = fits[0][1], Matcher.of(points)
    rivals = [plane for _, plane in fits[1:] if plane.apart(rough) > RIVAL_DEG]
    ahead = [_ahead(points.some(1500), onto, rough, plane, voxel_mm=voxel_mm) for plane in rivals]
    alike = [plane for plane, share in zip(rivals, ahead, strict=True) if share < ALIKE]
    if alike:
        raise DataError(
            "a shape that several planes halve alike has no plane of symmetry of its own",
            found=f"{len(alike) + 1} planes, {rough.apart(alike[0]):.0f}° apart, that fit within {fits[0][0]:.2g} mm",
            hint="near=(1, 0, 0), the LPS direction that the plane lies across",
        )
    least = min(ahead, default=1.0)
    plane = _settled(points, onto, rough)
    turned = points.some(5000).moved(plane.matrix())
    matched, far = onto.nearest(turned)
    gap = ((turned.places - onto.points.places[matched]) * onto.points.normals[matched]).sum(axis=1)
    residual = float(np.sqrt(np.mean(gap[far <= np.quantile(far, KEPT)] ** 2)))
    doubts = []
    if least < DOUBTED:
        doubts.append(
            f"another plane fits nearly as well: this one is ahead of it for {least:.0%} of the surface"
        )
    if residual > UNLIKE * points.radius_mm:
        doubts.append(f"the shape lies {residual:.2g} mm from its mirror image and is hardly symmetric")
    middle = points.places.mean(axis=0)
    on_plane = middle - float(plane.signed_mm(middle)) * plane.normal
    return Symmetry(Plane.of(on_plane, plane.normal), residual, least, "; ".join(doubts) or None)
