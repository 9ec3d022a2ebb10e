"""A femur as a field of depth: head, neck, two trochanters, a bent shaft, and condyles, joined smoothly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from vesalius.core.image import Array

BLEND_MM = 7.0  # how roundly one part passes into the next one


@dataclass(frozen=True)
class Femur:
    """A femur's sizes in mm. Its coordinates are x to the outside, y back, z up; 0 is in the middle of its length."""

    length_mm: float
    head_mm: float  # radius
    neck_deg: float
    turn_deg: float  # of the neck, forward
    offset_mm: float
    shaft_mm: float  # radius
    bow_mm: float
    condyles_mm: float  # half the breadth
    cortex_mm: float

    @property
    def head(self) -> tuple[float, float, float]:
        """Return the middle of the head."""
        forward = self.offset_mm * float(np.tan(np.radians(self.turn_deg)))
        return -self.offset_mm, -forward, self.length_mm / 2 - self.head_mm

    @property
    def root(self) -> float:
        """Return the height at which the neck's axis meets that of the shaft."""
        return self.head[2] - self.offset_mm / float(np.tan(np.radians(180 - self.neck_deg)))

    def axis(self, z: Array) -> tuple[Array, Array]:
        """Return x and y of the shaft's axis at heights: it leans inward to the knee and is bent forward."""
        kind, half = z.dtype.type, self.length_mm / 2
        share = np.clip((kind(self.root) - z) / kind(self.root + half), 0, 1)
        return -kind(self.offset_mm) * share, -kind(4 * self.bow_mm) * share * (1 - share)

    def depth(self, points: Array) -> Array:
        """Return how deep points `(3, …)` in mm lie in the bone: near its surface a distance, below 0 outside."""
        x, y, z = points
        half, r, root = self.length_mm / 2, self.head_mm, self.root
        wide = self.condyles_mm
        parts = [
            r - np.sqrt(sum((points[k] - points.dtype.type(self.head[k])) ** 2 for k in range(3))),
            _rod(points, self.head, (0.0, 0.0, root), (0.66 * r, 0.86 * r)),
            _ball(points, (11.0, 5.0, root + 14.0), (14.0, 17.0, 21.0)),
            _ball(points, (-13.0, 13.0, root - 30.0), (9.0, 9.0, 12.0)),
            self._shaft(x, y, z),
        ]
        knee = -self.offset_mm
        for side in (-1, 1):
            middle = (knee + side * 0.5 * wide, 5.0, -half + 0.55 * wide)
            parts.append(_ball(points, middle, (0.54 * wide, 0.76 * wide, 0.55 * wide)))
        return reduce(_joined, parts)

    def _shaft(self, x: Array, y: Array, z: Array) -> Array:
        """Return the depth in the shaft, which is wider at its ends, most of all to the sides above the knee."""
        kind, half = z.dtype.type, self.length_mm / 2
        ax, ay = self.axis(z)
        above = np.exp(-np.maximum(kind(self.root + 5) - z, 0) / kind(32))
        below = np.exp(-np.maximum(z + kind(half - 25), 0) / kind(42))
        wide = self.shaft_mm * (1 + 0.45 * above) + (0.80 * self.condyles_mm - self.shaft_mm) * below
        deep = self.shaft_mm * (1 + 0.30 * above) + (0.62 * self.condyles_mm - self.shaft_mm) * below
        round_off = (1 - np.hypot((x - ax) / wide, (y - ay) / deep)) * np.minimum(wide, deep)
        ends = np.minimum(kind(self.root + 12) - z, z + kind(half - 22))
        return np.asarray(np.minimum(round_off, ends))

    def cortex(self, z: Array) -> Array:
        """Return how thick compact bone is at heights: most in the shaft, a thin shell at both ends."""
        kind, half = z.dtype.type, self.length_mm / 2
        ends = np.exp(-np.maximum(kind(self.root - 30) - z, 0) / kind(30))
        ends += np.exp(-np.maximum(z + kind(half - 60), 0) / kind(35))
        return np.asarray(kind(1.8) + kind(self.cortex_mm - 1.8) * (1 - np.minimum(ends, 1)))


def _joined(one: Array, other: Array) -> Array:
    """Return the larger depth, rounded where two parts meet."""
    gap = np.maximum(BLEND_MM - np.abs(one - other), 0) / BLEND_MM
    return np.asarray(np.maximum(one, other) + gap**2 * (BLEND_MM / 4))


def _ball(points: Array, middle: tuple[float, float, float], half: tuple[float, float, float]) -> Array:
    kind = points.dtype.type
    far = sum(((points[k] - kind(middle[k])) / kind(half[k])) ** 2 for k in range(3))
    return np.asarray((1 - np.sqrt(far)) * kind(min(half)))


def _rod(
    points: Array,
    one: tuple[float, float, float],
    other: tuple[float, float, float],
    radii: tuple[float, float],
) -> Array:
    kind = points.dtype.type
    along = np.array(other) - np.array(one)
    share = sum((points[k] - kind(one[k])) * kind(along[k]) for k in range(3)) / kind(float(along @ along))
    share = np.clip(share, 0, 1)
    far = sum((points[k] - kind(one[k]) - share * kind(along[k])) ** 2 for k in range(3))
    return np.asarray(kind(radii[0]) + share * kind(radii[1] - radii[0]) - np.sqrt(far))
