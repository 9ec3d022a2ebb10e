"""Shapes brought into one place and direction: Procrustes, and closest points where nothing corresponds yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.shapes.models.cloud import Cloud

FEW = 400  # points that a rigid alignment goes by
CLEARLY = 0.8  # a start or a mirror image is preferred where its distance is below this share of the other's


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a shape lies: `x ↦ scale · rotation x + shift_mm`; the rotation is proper, so that no pose mirrors."""

    rotation: Array
    shift_mm: Array
    scale: float = 1.0

    def __call__(self, points_mm: Array) -> Array:
        """Return points `(…, 3)` in the pose."""
        return np.asarray(self.scale * points_mm @ self.rotation.T + self.shift_mm)

    def back(self, points_mm: Array) -> Array:
        """Return where points in the pose come from."""
        return np.asarray((points_mm - self.shift_mm) @ self.rotation / self.scale)

    def cloud(self, cloud: Cloud) -> Cloud:
        """Return a cloud in the pose."""
        return Cloud(self(cloud.points_mm), cloud.normals @ self.rotation.T)

    def cloud_back(self, cloud: Cloud) -> Cloud:
        """Return where a cloud in the pose comes from."""
        return Cloud(self.back(cloud.points_mm), cloud.normals @ self.rotation)


def still() -> Pose:
    """Return the pose that changes nothing."""
    return Pose(np.eye(3), np.zeros(3))


def procrustes(source: Array, target: Array, *, sizes: bool = False, weights: Array | None = None) -> Pose:
    """Return the pose that brings corresponding points `(N, 3)` nearest to others by least squares.

    With `sizes` the scale is fitted too. The rotation is proper: no mirror image is taken.
    Source: Umeyama 1991.
    """
    w = np.ones(len(source)) if weights is None else weights
    w = w / w.sum()
    a, b = w @ source, w @ target
    p, q = source - a, target - b
    u, s, vt = np.linalg.svd((q * w[:, None]).T @ p)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / (w @ (p**2).sum(axis=1))) if sizes else 1.0
    return Pose(rotation, b - scale * rotation @ a, scale)


def closest(source: Cloud, target: Cloud, start: Pose, *, rounds: int = 30, sizes: bool = False) -> Pose:
    """Return the pose of `source` on `target` by iterated closest points in both directions from a start.

    Source: Besl and McKay 1992.
    """
    a, b = source.thinned(FEW), target.thinned(FEW)
    pose, before = start, np.inf
    for _ in range(rounds):
        moved = Cloud(pose(a.points_mm), a.normals)
        there, near = target.tree.query(moved.points_mm)
        back, own = moved.tree.query(b.points_mm)
        pose = procrustes(
            np.concatenate([a.points_mm, a.points_mm[own]]),
            np.concatenate([target.points_mm[near], b.points_mm]),
            sizes=sizes,
        )
        now = float(np.mean(there) + np.mean(back))
        if before - now < 1e-4 * now:
            break
        before = now
    return pose


def apart(source: Cloud, target: Cloud, pose: Pose) -> float:
    """Return the mean distance of both clouds from one another in a pose, in mm."""
    a, b = source.thinned(FEW), target.thinned(FEW)
    moved = pose(source.points_mm)
    there = target.tree.query(pose(a.points_mm))[0]
    back = Cloud(moved, source.normals).tree.query(b.points_mm)[0]
    return float((there.mean() + back.mean()) / 2)


def turns(source: Cloud, target: Cloud, *, turned: bool) -> list[Array]:
    """Return rotations `(3, 3)` to start from: none, and where directions are not known those of the principal axes.

    None of them mirrors: the third axis takes the sign that makes the rotation proper.
    """
    found = [np.eye(3)]
    if turned:
        own, other = (
            np.linalg.svd(c.points_mm - c.middle_mm, full_matrices=False)[2] for c in (source, target)
        )
        for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            turn = (other.T * np.array([*signs, 1.0])) @ own
            found.append((other.T * np.array([*signs, np.sign(np.linalg.det(turn))])) @ own)
    return found


def starts(source: Cloud, target: Cloud, *, turned: bool) -> list[Pose]:
    """Return poses to start from: middle on middle, in each of the rotations to start from."""
    each = turns(source, target, turned=turned)
    return [Pose(turn, target.middle_mm - turn @ source.middle_mm) for turn in each]


def rigid(source: Cloud, target: Cloud, *, turned: bool = False, sizes: bool = False) -> tuple[Pose, float]:
    """Return the best pose of `source` on `target`, and their mean distance in mm.

    With `turned`, directions are not known and principal axes are tried; another start than the given directions is
    taken only where it fits clearly better.
    """
    tried = [closest(source, target, start, sizes=sizes) for start in starts(source, target, turned=turned)]
    far = [apart(source, target, pose) for pose in tried]
    best = int(np.argmin(far))
    best = best if far[best] < CLEARLY * far[0] else 0
    return tried[best], far[best]
