"""A late-enhancement MR of the left ventricle, slices across its axis: dark muscle, grey blood, a bright scar."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.bodies.ct import wall_mm

SHAPE = (12, 48, 48)  # (Z, Y, X): base to apex
SPACING_MM = (8.0, 2.6, 2.6)
MUSCLE, BLOOD, SCAR, LUNG, OTHER, FAT = 55.0, 300.0, 540.0, 25.0, 130.0, 430.0


def scar_share(factors: Mapping[str, float]) -> float:
    """Return which share of the left ventricle's muscle is scar."""
    return 0.015 + 0.07 * (factors["scar"] + 2.2)


def draw_mr(
    factors: Mapping[str, float], shaping: np.random.Generator, noise: np.random.Generator
) -> tuple[Array, float]:
    """Return an MR `(Z, Y, X)` int16 in units of its own, and the share of the muscle that is scar in it."""
    z, y, x = _places(shaping)
    wall = wall_mm(factors)
    radius, length = float(shaping.normal(23, 1.8)), float(shaping.normal(44, 2.5))
    taper = np.sqrt(np.clip(1 - (np.clip(z + 30, 0, None) / (length + 34)) ** 2, 0, None))
    far, angle = np.hypot(y, x), np.arctan2(y, x)
    wavy = 1 + 0.03 * np.cos(3 * angle + float(shaping.uniform(0, 6.28)))
    inner = radius * taper * wavy
    outer = np.where(z < length + wall, inner + wall * np.clip(taper + 0.25, 0, 1), 0)
    cavity, muscle = _inside(inner - far), _inside(outer - far)
    volume = np.full(SHAPE, LUNG, np.float32) * (1 + 0.3 * _cloud(shaping, 2.0))
    body = _inside(np.hypot((y + 6) / 1.0, x / 1.15) - 48)
    volume = _laid(volume, FAT * (0.8 + 0.2 * np.sin(angle * 2)), body * (y < -30))
    liver = _inside(y - 38 - 0.2 * x)
    volume = _laid(volume, OTHER, liver)
    rx = x + 0.85 * radius + 14
    right = _inside(1.25 * radius * np.clip(taper, 0.3, 1) - np.hypot(rx * 1.15, (y + 6) * 0.8))
    volume = _laid(
        volume, MUSCLE * 1.3, _inside(1.25 * radius * taper + 4 - np.hypot(rx * 1.15, (y + 6) * 0.8))
    )
    volume = _laid(volume, 0.95 * BLOOD, right)
    volume = _laid(volume, MUSCLE, muscle)
    volume = _laid(volume, BLOOD, cavity)
    own = np.clip(muscle - cavity, 0, 1)
    depth = np.clip((far - inner) / wall, 0, 1)
    scar = _scarred(own, scar_share(factors), angle, z, depth, shaping)
    volume = _laid(volume, SCAR * (1 + 0.06 * _cloud(shaping, 1.0)), scar)
    volume = ndimage.gaussian_filter(volume, (0.35, 0.55, 0.55), mode="nearest", truncate=3)
    gain = float(np.exp(shaping.normal(0, 0.2)))
    tilt = 1 + float(shaping.normal(0, 0.06)) * y / 60 + float(shaping.normal(0, 0.06)) * x / 60
    waves = noise.normal(0, 20.0, (2, *SHAPE))
    seen = gain * np.hypot(volume * tilt + waves[0], waves[1])
    return np.asarray(np.rint(np.clip(seen, 0, 4000)).astype(np.int16)), float(scar.sum() / own.sum())


def _scarred(
    own: Array, share: float, angle: Array, z: Array, depth: Array, random: np.random.Generator
) -> Array:
    """Return how much of each voxel is scar: a territory that begins at the inside, and that share of the muscle."""
    about, level = float(random.uniform(-np.pi, np.pi)), float(random.uniform(-20, 20))
    turn = np.abs((angle - about + np.pi) % (2 * np.pi) - np.pi)
    first = turn / 1.2 + np.abs(z - level) / 60 + 0.75 * depth + 0.12 * _cloud(random, 1.5)
    order = np.argsort(first, axis=None, kind="stable")
    held = np.cumsum(own.ravel()[order])
    scar = np.zeros(own.size, np.float32)
    before = held - own.ravel()[order]
    scar[order] = np.clip(share * float(held[-1]) - before, 0, own.ravel()[order])
    return scar.reshape(own.shape)


def affine(turn: float, shift: tuple[float, float, float]) -> Array:
    """Return the map from index (x, y, z) to LPS mm of slices across the heart's axis, in a frame of their own.

    The axis goes to the left, to the front and to the feet; `turn` is in radians about it.
    """
    axis = np.array([0.75, -0.45, -0.48])
    axis = axis / np.linalg.norm(axis)
    across = np.cross(axis, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    down = np.cross(axis, across)
    c, s = np.cos(turn), np.sin(turn)
    rows = np.stack([c * across + s * down, -s * across + c * down, axis], axis=1) * np.array(
        SPACING_MM[::-1]
    )
    found = np.eye(4)
    found[:3, :3] = rows
    found[:3, 3] = np.array(shift) - rows @ ((np.array(SHAPE[::-1]) - 1) / 2)
    return found


def _places(random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return where voxels lie from the ventricle's axis, in mm: to the apex, down and across."""
    shift = random.normal(0, (3, 3.5, 3.5))
    axes = [(np.arange(n) - (n - 1) / 2) * s - d for n, s, d in zip(SHAPE, SPACING_MM, shift, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return z.astype(np.float32), y.astype(np.float32), x.astype(np.float32)


def _inside(mm: Array) -> Array:
    """Return the share of each voxel that is inside, by how far its middle is from the edge."""
    return np.asarray(np.clip(mm / SPACING_MM[1] + 0.5, 0, 1))


def _laid(volume: Array, value: Array | float, share: Array) -> Array:
    return np.asarray(volume + share * (value - volume))


def _cloud(random: np.random.Generator, sigma: float) -> Array:
    noise = ndimage.gaussian_filter(
        random.standard_normal(SHAPE, dtype=np.float32), (sigma / 2, sigma, sigma), mode="wrap"
    )
    return np.asarray(noise / noise.std())
