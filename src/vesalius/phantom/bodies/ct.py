"""A CT of a heart with contrast, small: chambers, the left ventricle's wall, calcium on the coronary arteries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array

SHAPE = (24, 48, 48)  # (Z, Y, X): feet to head, front to back, right to left
SPACING_MM = (6.0, 5.0, 5.0)
LUNG, SOFT, FAT, BLOOD, CHAMBERS, MUSCLE, BONE, STONE = (
    -830.0,
    45.0,
    -95.0,
    330.0,
    230.0,
    105.0,
    330.0,
    1600.0,
)


def wall_mm(factors: Mapping[str, float]) -> float:
    """Return how thick the left ventricle's wall is."""
    return 10.0 + 1.9 * factors["wall"]


def half_width_mm(factors: Mapping[str, float]) -> float:
    """Return half the width of the whole heart."""
    return 56.0 + 7.5 * factors["width"]


def calcium_mm3(factors: Mapping[str, float]) -> float:
    """Return the volume of all calcium."""
    return float(800.0 * np.exp(0.95 * factors["calcium"]))


def draw_ct(factors: Mapping[str, float], shaping: np.random.Generator, noise: np.random.Generator) -> Array:
    """Return a CT `(Z, Y, X)` int16 in HU, by SHAPE and SPACING_MM."""
    z, y, x = _places(shaping)
    half, wall = half_width_mm(factors), wall_mm(factors)
    lean = float(shaping.normal(0.12, 0.05))
    volume = np.full(SHAPE, SOFT, np.float32)
    grown = float(shaping.normal(1, 0.03))
    lungs = _ball(z / 160, (y + 4) / (84 * grown), x / (118 * grown))
    volume += _inside(lungs, 90) * (LUNG - SOFT + 25 * _cloud(shaping, 1.3))
    rim = _ball(z / 900, y / 110, x / 150)
    volume += (1 - _inside(rim, 110)) * (FAT - SOFT)
    u, v = x - 12 - lean * z, y - 18 + 0.15 * z
    tall, deep = float(shaping.normal(50, 2)), float(shaping.normal(42, 1.5))
    heart = _ball(z / tall, v / deep, u / half)
    between = _ball(z / 900, (y - 8) / 92, (x - 4) / (24 + 0.1 * np.abs(z)))  # of the lungs: fat and vessels
    volume = _laid(volume, 0.5 * (FAT + SOFT), _inside(between, 24))
    volume = _laid(volume, FAT, _inside(heart * 0.93, half))
    volume = _laid(volume, CHAMBERS, _inside(heart, half))
    cavity = float(shaping.normal(21, 1.6))
    lz, ly, lx = z + 4, v - 4, u - 0.36 * half
    long_ = 1.55
    outer = _ball(lz / (cavity * long_ + wall), ly / (cavity + wall), lx / (cavity + wall))
    volume = _laid(volume, MUSCLE, _inside(outer, cavity + wall))
    volume = _laid(volume, BLOOD, _inside(_ball(lz / (cavity * long_), ly / cavity, lx / cavity), cavity))
    volume = _laid(volume, BONE, _inside(np.hypot((y - 84) / 20, x / 21), 20))
    volume = _laid(volume, BLOOD, _inside(np.hypot((y - 62) / 12, (x - 24) / 12), 12))
    ribs = np.abs(((z + 0.25 * y) % 30) - 15) < 5
    cage = np.abs(_ball(z / 900, (y + 2) / 92, x / 127) - 1) * 100 < 6
    volume = _laid(volume, BONE, 0.8 * (ribs & cage))
    volume = ndimage.gaussian_filter(volume, (0.45, 0.5, 0.5), mode="nearest", truncate=3)
    volume = _with_calcium(volume, calcium_mm3(factors), shaping, (z, v, u), (tall, deep, half))
    grain = ndimage.gaussian_filter(noise.standard_normal(SHAPE, dtype=np.float32), 0.5, mode="wrap")
    return np.asarray(np.rint(np.clip(volume + 22 * grain / grain.std(), -1024, 3000)).astype(np.int16))


def _with_calcium(
    volume: Array,
    amount: float,
    random: np.random.Generator,
    at: tuple[Array, Array, Array],
    half: tuple[float, float, float],
) -> Array:
    """Return the volume with that many mm³ of calcium in spots along two arteries on the heart."""
    many = 7  # so many spots share it: a few are large, most small
    share = random.dirichlet(np.full(many, 1.2))
    voxel = float(np.prod(SPACING_MM))
    for k in range(many):
        mm3 = amount * float(share[k])
        down, around = float(random.uniform(-0.55, 0.75)), float(random.normal((-1.9, -0.5)[k % 2], 0.18))
        ring = np.sqrt(1 - down**2) * 1.02
        middle = (-down * half[0], ring * np.sin(around) * half[1], ring * np.cos(around) * half[2])
        radius = 1.2 + (3 * mm3 / (4 * np.pi)) ** (1 / 3)
        weight = np.exp(-sum(((a - m) / radius) ** 2 for a, m in zip(at, middle, strict=True)))
        total = float(weight.sum())
        if total > 1e-3:
            volume = volume + (STONE * mm3 / voxel) * (weight / total)
    return volume


def _places(random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return where voxels lie from the middle, in mm: towards the head, the back and the left; the body is shifted."""
    shift = random.normal(0, (4, 5, 5))
    axes = [(np.arange(n) - (n - 1) / 2) * s - d for n, s, d in zip(SHAPE, SPACING_MM, shift, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return z.astype(np.float32), y.astype(np.float32), x.astype(np.float32)


def _ball(z: Array, y: Array, x: Array) -> Array:
    return np.asarray(np.sqrt(z**2 + y**2 + x**2))


def _inside(far: Array, half_mm: float) -> Array:
    """Return the share of each voxel within 1 of the middle, with an edge of about a voxel."""
    return np.asarray(np.clip((1 - far) * half_mm / SPACING_MM[1] + 0.5, 0, 1))


def _laid(volume: Array, value: float, share: Array) -> Array:
    return np.asarray(volume + share * (value - volume))


def _cloud(random: np.random.Generator, sigma: float) -> Array:
    noise = ndimage.gaussian_filter(random.standard_normal(SHAPE, dtype=np.float32), sigma, mode="wrap")
    return np.asarray(noise / noise.std())
