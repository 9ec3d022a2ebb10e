"""A person's two femora: the same bone mirrored, each bent a little its own way, by a known distance on the surface."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from vesalius.core.image import Array
from vesalius.phantom.common.fields import Deformation, draw_deformation
from vesalius.phantom.femora import parameters as law
from vesalius.phantom.femora.bone import Femur

SIDES = ("left", "right")  # their labels are 1 and 2


@dataclass(frozen=True, eq=False)
class Side:
    """One femur in the field, whose coordinates are LPS mm around its middle.

    `sign` is 1 on the left and −1 on the right: the bone's own x points to the outside. `bent` displaces it.
    """

    sign: int
    bent: Deformation
    turn: Array  # (3, 3)
    place_mm: Array  # (3,) of the bone's own origin in the field

    def in_bone(self, points: Array) -> Array:
        """Return points `(3, …)` of the field in the bone's own coordinates, mm, with what bends it undone."""
        kind = points.dtype.type
        away = [points[k] - kind(self.place_mm[k]) for k in range(3)]
        own = np.stack([sum(kind(self.turn[j, k]) * away[j] for j in range(3)) for k in range(3)])
        own[0] *= self.sign
        return self.bent(own)


@dataclass(frozen=True, eq=False)
class Pair:
    """A person's femora: one set of sizes, two sides, and how far one lies from the other's mirror image, in mm."""

    sex: str
    age: int
    femur: Femur
    left: Side
    right: Side
    rms_mm: float
    max_mm: float


def draw_pair(who: np.random.Generator, shape: np.random.Generator, pose: np.random.Generator) -> Pair:
    """Return a pair; `who` draws sex, age and sizes, `shape` what differs between the sides, `pose` how they lie."""
    sex = law.MALE if who.random() < 0.5 else law.FEMALE
    age = int(who.integers(20, 90))

    def drawn(measure: tuple[float, float], most: float = 2.0) -> float:
        return float(
            np.clip(who.normal(*measure), measure[0] - most * measure[1], measure[0] + most * measure[1])
        )

    femur = Femur(
        drawn(law.LENGTH_MM[sex], 1.6), drawn(law.HEAD_MM[sex]), drawn(law.NECK_DEG), drawn(law.TURN_DEG),
        drawn(law.OFFSET_MM[sex]), drawn(law.SHAFT_MM[sex]), drawn(law.BOW_MM), drawn(law.CONDYLES_MM[sex]),
        drawn(law.CORTEX_MM),
    )  # fmt: skip
    apart = drawn(law.APART_MM[sex])
    own = draw_deformation(shape, rms_mm=1.5)  # what this person's two bones share beyond their sizes
    half, rms, most = _differing(shape, femur)
    sides = []
    for sign in (1, -1):
        bent = _sum(own, _times(half, sign))
        turn = Rotation.from_euler("xyz", pose.normal(0, law.LEAN_DEG), degrees=True).as_matrix()
        place = np.array([sign * (apart + femur.offset_mm), 0.0, 0.0]) + pose.uniform(-3, 3, 3)
        sides.append(Side(sign, bent, turn, place))
    return Pair(sex, age, femur, sides[0], sides[1], rms, most)


def _differing(random: np.random.Generator, femur: Femur) -> tuple[Deformation, float, float]:
    """Return half of what displaces one side from the other, and its root mean square and largest size, in mm.

    Sizes are along the surface's normal, once the rigid motion that explains most of it is taken out.
    """
    median, spread, least, most = law.SIDE_RMS_MM
    wanted = float(np.clip(random.lognormal(np.log(median), spread), least, most))
    half = draw_deformation(random, rms_mm=1.0)
    points, normals = surface_points(femur)
    far = 2 * (normals * (half(points) - points)).sum(axis=0)
    turns = [(normals * np.cross(axis, points.T).T).sum(axis=0) for axis in np.eye(3)]
    rigid = np.stack([*normals, *turns], axis=1)
    left = far - rigid @ np.linalg.lstsq(rigid, far, rcond=None)[0]
    scale = wanted / float(np.sqrt(np.mean(left**2)))
    return _times(half, scale), wanted, float(np.abs(left).max() * scale)


def surface_points(femur: Femur, *, step_mm: float = 7.0) -> tuple[Array, Array]:
    """Return points (3, N) of a femur's surface in its own coordinates, evenly spread, and unit normals outward."""
    half = femur.length_mm / 2 + step_mm
    lines = [np.arange(-low, high, step_mm) for low, high in ((95.0, 45.0), (50.0, 50.0), (half, half))]
    points = np.stack([g.reshape(-1) for g in np.meshgrid(*lines, indexing="ij")])
    points = points[:, np.abs(femur.depth(points)) < 0.6 * step_mm]
    for _ in range(4):
        slope = _slope(femur, points)
        points = points - femur.depth(points) * slope / np.maximum((slope**2).sum(axis=0), 1e-3)
    slope = _slope(femur, points)
    kept = np.abs(femur.depth(points)) < 0.1
    normals = -slope / np.maximum(np.sqrt((slope**2).sum(axis=0)), 1e-6)
    return points[:, kept], normals[:, kept]


def _slope(femur: Femur, points: Array) -> Array:
    found = np.empty_like(points)
    for k in range(3):
        step = np.zeros((3, 1))
        step[k] = 0.05
        found[k] = (femur.depth(points + step) - femur.depth(points - step)) / 0.1
    return found


def _times(one: Deformation, factor: float) -> Deformation:
    return replace(one, amplitude_mm=one.amplitude_mm * factor)


def _sum(one: Deformation, other: Deformation) -> Deformation:
    """Return both at once; displacements are small beside their waves, so that their order does not matter."""
    names = ("amplitude_mm", "wave_per_mm", "phase")
    return Deformation(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in names))
