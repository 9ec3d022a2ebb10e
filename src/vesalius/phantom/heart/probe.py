"""How ultrasound shows a beating heart: speckle that moves with the tissue, a beam, shadows, and a site's display.

A pixel is the envelope of a sum of complex echoes: those of tissue, drawn once and carried by it, so that its speckle
moves with it; reverberations that stand still; and noise that every frame has anew. The sum is shown in decibels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.heart.ventricle import Axes, Tissue, Ventricle

SPECKLE_PIXELS = (0.75, 1.1)  # its spread along the beam and across it
FINER = 2  # points of the carried speckle a pixel along each axis
PERIOD = 256  # points after which it repeats
BLOOD, MUSCLE, SHEATH, AROUND, LEAFLET = 0.035, 0.55, 1.3, 0.32, 0.9  # how much of the sound comes back
EDGE_MM = 1.0
HALF_ANGLE = np.deg2rad(41)


@dataclass(frozen=True)
class Site:
    """A laboratory's machine: how it turns the picture, and how it shows echoes of `range_db` decibels.

    `haze` is how much of a picture's echoes are reverberations near the probe.
    """

    name: str
    apex_down: bool
    mirrored: bool
    gain_db: float
    range_db: float
    gamma: float
    noise: float
    haze: float


SITES = (
    Site("north", False, False, 0.0, 55.0, 1.0, 0.030, 0.10),
    Site("south", False, True, 4.0, 62.0, 0.9, 0.045, 0.16),
    Site("west", True, False, -3.0, 48.0, 1.1, 0.038, 0.13),
)


@dataclass(frozen=True)
class View:
    """A plane through the long axis: its `name`, and what lies beside the ventricle and above its base."""

    name: str
    right_ventricle: bool
    aorta: bool


VIEWS = (
    View("four-chamber", True, False),
    View("two-chamber", False, False),
    View("three-chamber", False, True),
)


@dataclass(frozen=True)
class Conditions:
    """How one cine was taken: `depth_mm` of the picture, `gain_db` beside the site's, and the probe's `drift_mm`.

    The probe drifts to and fro `(down, right)` with a `period_s` from a `phase`. `shadows` are `(angle, spread,
    strength)` in radians and shares; `atrium_mm` is how long the atrium is when the ventricle is full.
    """

    depth_mm: float
    gain_db: float
    drift_mm: tuple[float, float]
    period_s: float
    phase: float
    shadows: tuple[tuple[float, float, float], ...]
    atrium_mm: float

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self) | {"drift_mm": list(self.drift_mm), "shadows": [list(s) for s in self.shadows]}


def draw_conditions(random: np.random.Generator, ventricle: Ventricle) -> Conditions:
    """Return how a cine is taken: its depth goes by the ventricle, so that pixels alone hardly tell its size."""

    def between(low: float, high: float) -> float:
        return round(float(random.uniform(low, high)), 3)

    depth = (ventricle.apex[0] + ventricle.length) / float(random.uniform(0.6, 0.7))
    shadows = tuple(
        (between(-0.7, 0.7), between(0.04, 0.12), between(0.3, 0.8))
        for _ in range(int(random.integers(0, 3)))
    )
    drift = between(0, 2.5), between(0, 2.0)
    return Conditions(
        round(depth, 2), between(-4, 4), drift, between(2.5, 4.5), between(0, 6.283), shadows, between(28, 44)
    )


def places(conditions: Conditions, times_s: Array, size: int) -> tuple[Array, Array]:
    """Return where each pixel lies from the drifting probe in mm, down and right, `(T, Y, X)` float32."""
    step = conditions.depth_mm / size
    at = (np.arange(size, dtype=np.float32) + 0.5) * step
    sway = np.sin(2 * np.pi * times_s / conditions.period_s + conditions.phase).astype(np.float32)
    down = at[None, :, None] + conditions.drift_mm[0] * sway[:, None, None]
    right = (at - conditions.depth_mm / 2)[None, None, :] + conditions.drift_mm[1] * sway[:, None, None]
    shape = (len(times_s), size, size)
    return np.broadcast_to(down, shape).astype(np.float32), np.broadcast_to(right, shape).astype(np.float32)


def shown(
    seen: Tissue,
    ventricle: Ventricle,
    now: Axes,
    *,
    filled: Array,
    opened: Array,
    view: View,
    site: Site,
    conditions: Conditions,
    random: np.random.Generator,
) -> Array:
    """Return the frames `(T, Y, X)` uint8 of moving tissue as a site shows them.

    `filled` `(T,)` is the ventricle's volume over that when full, `opened` how far the mitral valve is open.
    """
    frames, size, _ = seen.depth.shape
    strength = _echoes(seen, ventricle, now, filled, opened, view, conditions)
    strength *= 0.55 + 0.45 * seen.facing
    step = conditions.depth_mm / size / FINER
    rows, columns = seen.along / step % PERIOD, seen.lateral / step % PERIOD
    carried = _field(random, (PERIOD, PERIOD), FINER)
    still = _field(random, (size, size), 1)
    at = (np.arange(size) + 0.5) * conditions.depth_mm / size
    y, x = np.meshgrid(at, at - conditions.depth_mm / 2, indexing="ij")
    haze = (site.haze * np.exp(-y / 30)).astype(np.float32)
    power = np.zeros(seen.depth.shape, np.float32)
    for part in (0, 1):  # real and imaginary
        tissue = ndimage.map_coordinates(
            carried[part], (rows, columns), np.float32, order=1, mode="grid-wrap"
        )
        fresh = random.standard_normal((frames, size, size), dtype=np.float32)
        fresh = ndimage.gaussian_filter(fresh, (0, 0.5, 0.7), mode="wrap") * np.float32(site.noise / 0.33)
        power += (strength * tissue + haze * still[part] + fresh) ** 2
    angle, far = np.arctan2(x, y), np.hypot(x, y)
    through = np.ones_like(far)
    for centre, spread, much in conditions.shadows:
        through *= 1 - much * np.exp(-(((angle - centre) / spread) ** 2) / 2) * np.clip(far / 40, 0, 1)
    power = ndimage.gaussian_filter(power, (0, 0.3, 0.4)) * through.astype(np.float32) ** 2
    level = 10 * np.log10(power + 1e-7) + site.gain_db + conditions.gain_db
    grey = np.clip((level + site.range_db - 8) / site.range_db, 0, 1) ** site.gamma
    inside = (np.abs(angle) < HALF_ANGLE) & (far < conditions.depth_mm * 0.985)
    drawn = np.where(inside, np.rint(250 * grey), 0).astype(np.uint8)
    drawn = drawn[:, ::-1] if site.apex_down else drawn
    return np.ascontiguousarray(drawn[:, :, ::-1] if site.mirrored else drawn)


def _field(random: np.random.Generator, shape: tuple[int, int], finer: int) -> Array:
    """Return smooth noise of variance 1, `(2, Y, X)` float32: the real and the imaginary part of speckle."""
    noise = random.standard_normal((2, *shape), dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, (0, *(s * finer for s in SPECKLE_PIXELS)), mode="wrap")
    return np.asarray(noise / noise.std())


def _echoes(
    seen: Tissue,
    ventricle: Ventricle,
    now: Axes,
    filled: Array,
    opened: Array,
    view: View,
    conditions: Conditions,
) -> Array:
    """Return how much of the sound comes back from each pixel."""
    sheath = np.exp(-(((seen.depth - seen.wall) / 1.6) ** 2))
    echo = AROUND + (MUSCLE - AROUND) * _within(seen.wall - seen.depth)
    echo = np.maximum(echo, SHEATH * sheath)
    length = now.length.astype(np.float32)[:, None, None]
    wide = ((now.septum + now.side) / 2).astype(np.float32)[:, None, None]
    below = seen.down - length
    hollow = _within(-seen.depth) * _within(-below)
    atrium = conditions.atrium_mm * (1.35 - 0.35 * filled.astype(np.float32)[:, None, None])
    shift = 0.25 * wide if view.aorta else 0.0
    hollow = np.maximum(
        hollow,
        _inside((seen.across + shift) / (0.85 * wide), (below - 1) / atrium, 0.8 * wide) * _within(below - 1),
    )
    broad, tall = float(np.sqrt(1500 * ventricle.full_ml / (np.pi * ventricle.length))), ventricle.length
    if view.right_ventricle:
        aside = broad + ventricle.wall + 13
        hollow = np.maximum(
            hollow, _inside((seen.lateral + aside) / 11, (seen.along - 0.68 * tall) / (0.36 * tall), 11)
        )
    if view.aorta:
        leaning = seen.lateral - 0.75 * broad - 0.35 * (seen.along - tall)
        hollow = np.maximum(hollow, _inside(leaning / 9, (seen.along - tall - 14) / 20, 9))
    echo = echo * (1 - hollow) + BLOOD * hollow
    return _leaflets(echo, seen, length, wide, opened.astype(np.float32)[:, None, None])


def _leaflets(echo: Array, seen: Tissue, length: Array, wide: Array, opened: Array) -> Array:
    """Return the echoes with the two leaflets of the mitral valve, from the base's ends to their tips."""
    for side in (-1, 1):
        reach, rise = wide * (0.95 - 0.45 * opened), 3 + 11 * opened
        begin = side * wide * 0.95
        u, v = seen.across - begin, length - seen.down
        long = np.hypot(reach, rise)
        along = np.clip((-side * u * reach + v * rise) / long, 0, long)
        far = np.hypot(-side * u - along * reach / long, v - along * rise / long)
        echo = np.maximum(echo, LEAFLET * np.exp(-((far / 1.1) ** 2)))
    return echo


def _within(depth_mm: Array) -> Array:
    """Return from 0 to 1 how far inside a border a pixel is, which is `EDGE_MM` soft."""
    return np.asarray(np.clip(depth_mm / EDGE_MM / 2 + 0.5, 0, 1))


def _inside(u: Array, v: Array, radius_mm: Array | float) -> Array:
    """Return from 0 to 1 how far inside an ellipse with half axes 1 a pixel is."""
    return _within((1 - np.hypot(u, v)) * radius_mm)
