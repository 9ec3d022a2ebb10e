"""The braincase: a superellipsoid with bumps, cut off by a base, with a shell of bone whose thickness varies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.skulls import parameters as law

# Directions of frontal, both parietal, occipital, both temporal bones and the base; the first number is the bone's.
BONES = (
    (0, (0.0, -0.9, 0.35)), (1, (0.6, 0.2, 0.75)), (1, (-0.6, 0.2, 0.75)), (2, (0.0, 0.97, 0.0)),
    (3, (0.97, -0.2, -0.1)), (3, (-0.97, -0.2, -0.1)), (4, (0.0, 0.0, -1.0)),
)  # fmt: skip
SHARP = 6.0  # how narrowly one bone's thickness passes into the next one's
BLEND_MM = 8.0  # how roundly the vault passes into the base


@dataclass(frozen=True, eq=False)
class Bumps:
    """Smooth bumps on a sphere: directions (K, 3), heights (K,) and how narrow each is (K,)."""

    centres: Array
    heights: Array
    narrow: Array

    @staticmethod
    def none() -> Bumps:
        """Return no bumps."""
        return Bumps(np.zeros((0, 3)), np.zeros(0), np.zeros(0))

    @staticmethod
    def of(centres: Sequence[Sequence[float]], heights: Sequence[float], narrow: Sequence[float]) -> Bumps:
        """Return bumps at directions of any length."""
        ways = np.array(centres, float)
        return Bumps(ways / np.linalg.norm(ways, axis=1, keepdims=True), np.array(heights), np.array(narrow))

    @staticmethod
    def joined(parts: Sequence[Bumps]) -> Bumps:
        """Return the sum of several."""
        names = ("centres", "heights", "narrow")
        return Bumps(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def times(self, factor: float) -> Bumps:
        """Return them higher by a factor."""
        return replace(self, heights=self.heights * factor)

    def __call__(self, ways: Array) -> Array:
        """Return the height at directions `(3, …)`."""
        kind, total = ways.dtype.type, np.zeros(ways.shape[1:], ways.dtype)
        for centre, height, narrow in zip(self.centres, self.heights, self.narrow, strict=True):
            cosine = kind(centre[0]) * ways[0] + kind(centre[1]) * ways[1] + kind(centre[2]) * ways[2]
            total += kind(height) * np.exp(kind(narrow) * (cosine - kind(1)))
        return total


@dataclass(frozen=True, eq=False)
class Vault:
    """A braincase around the origin: half its breadth and length in mm, its height, bumps, and its bones' thickness."""

    half_breadth_mm: float
    half_length_mm: float
    height_mm: float
    alike: Bumps
    odd: Bumps
    bones_mm: Array  # (5,) frontal, parietal, occipital, temporal, base
    patches: Bumps

    def with_odd(self, odd: Bumps) -> Vault:
        """Return the same vault with sides that differ."""
        return replace(self, odd=odd)

    def radius(self, ways: Array) -> Array:
        """Return the distance of the outer surface in mm in unit directions `(3, …)`, without the base."""
        kind, n = ways.dtype.type, law.ROUNDNESS
        up = law.ABOVE * self.height_mm
        total = (np.abs(ways[0]) / kind(self.half_breadth_mm)) ** kind(n)
        total += (np.abs(ways[1]) / kind(self.half_length_mm)) ** kind(n)
        total += (np.abs(ways[2]) / kind(up)) ** kind(n)
        return np.asarray(total ** kind(-1 / n) + self.alike(ways) + self.odd(ways))

    def thickness(self, ways: Array) -> Array:
        """Return the thickness of the shell in mm in unit directions `(3, …)`, measured towards the origin."""
        kind = ways.dtype.type
        total, weights = np.zeros(ways.shape[1:], ways.dtype), np.zeros(ways.shape[1:], ways.dtype)
        for bone, centre in BONES:
            cosine = sum(kind(centre[k]) * ways[k] for k in range(3))
            weight = np.exp(kind(SHARP) * (cosine - kind(1)))
            total += weight * kind(self.bones_mm[bone])
            weights += weight
        return np.asarray(np.maximum(total / weights * (1 + self.patches(ways)), kind(law.LEAST_MM)))

    def base(self, points: Array) -> Array:
        """Return how far points `(3, …)` lie above the base in mm; it is higher in front."""
        kind, tilt = points.dtype.type, 0.15
        floor = (law.ABOVE - 1) * self.height_mm
        height: Array = points[2] - kind(floor) + kind(tilt) * points[1]
        return np.asarray(height * kind(1 / np.hypot(1, tilt)))

    def depth(self, points: Array) -> tuple[Array, Array]:
        """Return how deep points `(3, …)` lie below the outer surface in mm, and the shell's thickness there."""
        far = np.sqrt((points**2).sum(axis=0)) + points.dtype.type(1e-3)
        ways = points / far
        down, base = self.radius(ways) - far, self.base(points)
        gap = np.maximum(BLEND_MM - np.abs(down - base), 0) / BLEND_MM
        depth: Array = np.minimum(down, base) - gap**2 * (BLEND_MM / 4)
        return depth, self.thickness(ways)

    def surface(self, ways: Array) -> tuple[Array, Array, Array]:
        """Return points (3, N) of the outer surface, unit normals (3, N), and their cosine with the direction (N,)."""
        far, step = self.radius(ways), 1e-4
        places = ways * far
        slopes = np.empty_like(places)
        for k in range(3):
            two = []
            for sign in (1, -1):
                moved = places.copy()
                moved[k] += sign * step * 100
                length = np.sqrt((moved**2).sum(axis=0))
                two.append(length - self.radius(moved / length))
            slopes[k] = (two[0] - two[1]) / (2 * step * 100)
        size = np.sqrt((slopes**2).sum(axis=0))
        return places, slopes / size, 1 / size


def directions(number: int) -> Array:
    """Return unit vectors (3, N) spread evenly over the sphere (a Fibonacci lattice)."""
    k = np.arange(number) + 0.5
    z, turn = 1 - 2 * k / number, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - z**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), z])
