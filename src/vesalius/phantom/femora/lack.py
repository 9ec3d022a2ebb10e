"""What one femur lacks: a piece of its shaft, its upper end, or that its lower fragment is where it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vesalius.core.image import Array
from vesalius.phantom.femora import parameters as law
from vesalius.phantom.femora.pair import Pair

KINDS = ("none", "piece", "end", "fracture")


@dataclass(frozen=True, eq=False)
class Lack:
    """What one side lacks: between two heights of the bone's own z that lean by `slope` (a mm across); or a break.

    `matrix` (4, 4) moves the lower fragment of a break, in the bone's own coordinates of mm.
    """

    kind: str
    side: str
    high_mm: float
    low_mm: float
    slope: tuple[float, float]
    matrix: Array

    def within(self, points: Array) -> Array:
        """Return how deep points `(3, …)` of the bone lie in what is missing, in mm."""
        kind = points.dtype.type
        z = points[2] + kind(self.slope[0]) * points[0] + kind(self.slope[1]) * points[1]
        return np.asarray(np.minimum(kind(self.high_mm) - z, z - kind(self.low_mm)))

    def moved_back(self, points: Array) -> Array:
        """Return points `(3, …)` of the moved fragment where they were."""
        back = np.linalg.inv(self.matrix).astype(points.dtype)
        rows = [sum(back[k, j] * points[j] for j in range(3)) + back[k, 3] for k in range(3)]
        return np.stack(rows)


def draw_lack(random: np.random.Generator, pair: Pair, kind: str) -> Lack:
    """Return what one side of a pair lacks."""
    side = "left" if random.random() < 0.5 else "right"
    length, top = pair.femur.length_mm, pair.femur.length_mm / 2
    slope = tuple(float(v) for v in random.normal(0, 0.08, 2))
    matrix = np.eye(4)
    if kind == "piece":
        middle, size = top - length * random.uniform(*law.PIECE_AT), random.uniform(*law.PIECE_MM)
        high, low = middle + size / 2, middle - size / 2
    elif kind == "end":
        high, low = top + 100.0, top - length * random.uniform(*law.END_AT)
    else:
        high = low = top - length * random.uniform(*law.BREAK_AT)
        way, axis = random.normal(size=3), random.normal(size=3)
        turn = np.radians(random.uniform(*law.BREAK_DEG)) * axis / np.linalg.norm(axis)
        far = random.uniform(*law.BREAK_MM) * way / np.linalg.norm(way)
        at = np.array([*(float(v[0]) for v in pair.femur.axis(np.array([low]))), low])
        matrix[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
        matrix[:3, 3] = at - matrix[:3, :3] @ at + far
    return Lack(kind, side, float(high), float(low), (slope[0], slope[1]), matrix)
