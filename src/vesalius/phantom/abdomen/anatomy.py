"""Anatomy: each organ as a signed distance in millimetres, varied from patient to patient.

Coordinates are the patient's own: x to the left, y to the back, z to the head (LPS), the origin in the middle
of the abdomen. Distances are negative inside and first-order near the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array, Triple
from vesalius.phantom.abdomen.person import Person
from vesalius.phantom.common.fields import Deformation, draw_deformation

VERTEBRA_MM = 33.0
RIB_MM = 27.0


@dataclass(frozen=True, slots=True)
class Blob:
    """A superellipsoid: centre and radii in mm, exponent, and a tilt about y then x in radians."""

    centre: Triple
    radii: Triple
    exponent: float = 2.0
    tilt: tuple[float, float] = (0.0, 0.0)

    def distance(self, q: Array) -> Array:
        """Return the signed distance of points `(3, …)`."""
        x, y, z = (q[i] - np.float32(self.centre[i]) for i in range(3))
        if any(self.tilt):
            (cy, sy), (cx, sx) = ((np.float32(np.cos(t)), np.float32(np.sin(t))) for t in self.tilt)
            x, z = cy * x + sy * z, cy * z - sy * x
            y, z = cx * y + sx * z, cx * z - sx * y
        a, b, c = (np.float32(r) for r in self.radii)
        if self.exponent == 2.0:
            f = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
        else:
            n = np.float32(self.exponent)
            f = (np.abs(x / a) ** n + np.abs(y / b) ** n + np.abs(z / c) ** n) ** (1 / n)
        return np.asarray((f - 1) * min(a, b, c))


def smooth_union(a: Array, b: Array, *, width_mm: float) -> Array:
    """Return the union of two distances with a rounded crease (polynomial smooth minimum, I. Quilez)."""
    h = np.clip(0.5 + 0.5 * (b - a) / width_mm, 0, 1)
    return np.asarray(b + (a - b) * h - width_mm * h * (1 - h))


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One patient's shapes. `deform` and `scale` map the patient's millimetres to the atlas they are drawn in."""

    scale: float
    deform: Deformation
    cavity: tuple[float, float]
    muscle_mm: float
    fat_mm: float
    liver_right: Blob
    liver_left: Blob
    spleen: Blob
    kidney_right: Blob
    kidney_left: Blob
    stomach: Blob
    bowel: tuple[Blob, ...]
    gas: tuple[bool, ...]
    aorta_mm: float
    vertebra_phase: float
    rib_phase: float
    dome_mm: tuple[float, float]

    def atlas(self, points: Array) -> Array:
        """Return the atlas millimetres of patient millimetres `(3, …)`."""
        return np.asarray(self.deform(points) / np.float32(self.scale))

    def cavity_distance(self, q: Array) -> Array:
        """Return the distance to the inner side of the abdominal wall."""
        a, b = self.cavity
        n = np.float32(2.4)
        f = (np.abs(q[0] / np.float32(a)) ** n + np.abs(q[1] / np.float32(b)) ** n) ** (1 / n)
        return np.asarray((f - 1) * np.float32(0.5 * (a + b)))

    def diaphragm_distance(self, q: Array) -> Array:
        """Return the distance to the lungs' lower face: positive below it, negative in the lungs."""
        right, left = self.dome_mm
        r2 = (q[1] + 10) ** 2
        dome_right = right - ((q[0] + 62) ** 2 + r2) * np.float32(0.0075)
        dome_left = left - ((q[0] - 62) ** 2 + r2) * np.float32(0.0075)
        return np.asarray(np.maximum(dome_right, dome_left) - q[2])

    def liver_distance(self, q: Array, *, cavity: Array | None = None) -> Array:
        """Return the distance to the liver: two lobes, held by the wall, the diaphragm and the great vessels."""
        wall = self.cavity_distance(q) if cavity is None else cavity
        lobes = smooth_union(self.liver_right.distance(q), self.liver_left.distance(q), width_mm=14.0)
        vessels = 44 - np.sqrt((q[0] - 8) ** 2 + (q[1] - 50) ** 2)
        x, y, z = self.kidney_right.centre
        a, b, c = self.kidney_right.radii
        kidney = -Blob((x, y + 22, z), (1.6 * a, 2.1 * b, 1.15 * c)).distance(q)
        held = np.maximum(np.maximum(wall + 3, vessels), np.maximum(3 - self.diaphragm_distance(q), kidney))
        return np.asarray(np.maximum(lobes, held))

    @property
    def half_width_mm(self) -> float:
        """From the midline to the skin at the flank."""
        return (self.cavity[0] + self.muscle_mm + self.fat_mm) * self.scale


def draw_anatomy(rng: np.random.Generator, person: Person) -> Anatomy:
    """Return a patient's anatomy; fat follows the BMI, the aorta's width and the spine's density follow age."""

    def near(value: float, sd: float) -> float:
        return float(value + sd * min(max(rng.normal(), -2.0), 2.0))

    def blob(
        centre: Triple, radii: Triple, exponent: float = 2.0, tilt: tuple[float, float] = (0, 0)
    ) -> Blob:
        size = near(1.0, 0.05)
        moved = (near(centre[0], 4), near(centre[1], 4), near(centre[2], 6))
        grown = tuple(near(r, 0.05 * r) * size for r in radii)
        return Blob(
            moved, (grown[0], grown[1], grown[2]), exponent, (near(tilt[0], 0.08), near(tilt[1], 0.08))
        )

    cavity = (near(128, 6), near(94, 5))
    loops = int(rng.integers(12, 19))
    bowel = tuple(
        Blob(
            (rng.uniform(-85, 95), rng.uniform(-70, 5), rng.uniform(-120, -15)),
            (rng.uniform(13, 26), rng.uniform(12, 18), rng.uniform(13, 24)),
            2.0,
            (rng.uniform(-1, 1), rng.uniform(-1, 1)),
        )
        for _ in range(loops)
    )
    return Anatomy(
        scale=person.scale,
        deform=draw_deformation(rng),
        cavity=cavity,
        muscle_mm=near(12, 1.5),
        fat_mm=6 + 1.6 * max(person.bmi - 18, 0) * near(1.0, 0.08),
        liver_right=blob((-66, -4, 22), (64, 76, 78), 2.5, (0.12, 0.05)),
        liver_left=blob((2, -46, 48), (74, 36, 36), 2.2, (-0.12, 0.0)),
        spleen=blob((88, 38, 42), (31, 44, 50), 2.2, (0.2, -0.3)),
        kidney_right=blob((-60, 46, -42), (26, 24, 52), 2.2, (0.2, 0.15)),
        kidney_left=blob((60, 46, -28), (26, 24, 53), 2.2, (-0.2, 0.15)),
        stomach=blob((56, -34, 50), (38, 42, 42), 2.0, (0.3, 0.0)),
        bowel=bowel,
        gas=tuple(bool(g) for g in rng.random(loops) < 0.4),
        aorta_mm=near(9.5 + 0.05 * (person.age_years - 60), 0.8),
        vertebra_phase=float(rng.uniform(0, VERTEBRA_MM)),
        rib_phase=float(rng.uniform(0, RIB_MM)),
        dome_mm=(near(96, 5), near(88, 5)),
    )
