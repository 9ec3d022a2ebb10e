"""The scanner: how bright each layer is, shadows of vessels, speckle, and how the logarithm is shown as grey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.macula.findings import Cyst
from vesalius.phantom.macula.layers import Boundaries, within

# How bright things are in the picture, 0 to 1, before speckle.
VITREOUS, LENS, CYST, DRUSE, CHOROID, SCLERA = 0.10, 0.11, 0.10, 0.44, 0.46, 0.33
RETINA = (0.66, 0.50, 0.36, 0.50, 0.29)  # the five layers above the photoreceptors
PHOTORECEPTORS = (
    (0.0, 0.40),
    (0.07, 0.30),
    (0.32, 0.72),
    (0.58, 0.42),
)  # from which share of their height on
RPE = 0.80


@dataclass(frozen=True)
class Scanner:
    """A device: how many frames it averages, the decibels from black to white, the field in mm, and the blur in pixels
    of 256 a width, down and across."""

    name: str
    frames: int
    decibels: float
    wide_mm: float
    blur: tuple[float, float]


SCANNERS = {"A": Scanner("A", 10, 42.0, 6.0, (0.55, 0.6)), "B": Scanner("B", 4, 36.0, 6.6, (0.8, 0.95))}
HIGH_UM = 960.0


@dataclass(frozen=True)
class Conditions:
    """One exposure: how bright it is all over and how much brighter its middle is, and vessels that throw shadows.

    `vessels` are (x in mm, half width in mm, how much of the light they take, from 0 to 1).
    """

    gain: float
    middle: float
    vessels: tuple[tuple[float, float, float], ...]

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self) | {"vessels": [list(v) for v in self.vessels]}


def draw_conditions(random: np.random.Generator) -> Conditions:
    """Return how a scan turned out."""
    vessels = []
    for _ in range(2 + int(random.poisson(2.5))):
        side = 1 if random.random() < 0.5 else -1
        x = side * float(random.uniform(0.7, 3.2))
        half, takes = float(random.uniform(0.035, 0.1)), float(random.uniform(0.25, 0.6))
        vessels.append((round(x, 3), round(half, 4), round(takes, 3)))
    return Conditions(
        round(float(random.normal(0, 0.045)), 4), round(float(random.uniform(0, 0.08)), 4), tuple(vessels)
    )


def shown(
    found: Boundaries,
    cysts: Sequence[Cyst],
    conditions: Conditions,
    scanner: Scanner,
    x: Array,
    depth: Array,
    *,
    noise: float,
    seed: Callable[[int], np.random.Generator],
) -> Array:
    """Return the picture `(Y, X)` uint8 at columns `x` in mm and rows `depth` in µm. `seed` gives a generator."""
    row = float(depth[1] - depth[0])
    level = _levels(found, depth, row, x, seed(0))
    for cyst in cysts:
        edge = np.clip((1 - within(cyst, found, x, depth)) * cyst.high / row + 0.5, 0, 1)
        level += edge * (CYST - level)
    level += conditions.gain + conditions.middle * (np.exp(-((x / 2.2) ** 2)) - 0.5)
    natural = scanner.decibels / 10 * np.log(10)  # of a whole step from black to white
    light = np.exp(natural * level) * _shadows(found, conditions, x, depth)
    sigma = np.array(scanner.blur) * len(x) / 256
    light = ndimage.gaussian_filter(light, sigma, mode="nearest", truncate=3)
    floor = np.exp(natural * 0.09)
    speckled = (light + floor) * _speckle(light.shape, scanner, noise, seed(1))
    grey = np.log(np.clip(speckled, 1e-6, None)) / natural
    return np.asarray(np.rint(255 * np.clip(grey, 0, 1)).astype(np.uint8))


def _levels(found: Boundaries, depth: Array, row: float, x: Array, random: np.random.Generator) -> Array:
    """Return how bright each pixel is, `(Y, X)` float64, with soft steps of a row."""
    tops = found.tops
    high = found.lens - tops[5]
    lower = [(tops[5] + share * high, bright) for share, bright in PHOTORECEPTORS]
    steps = [
        *zip(tops[:5], RETINA, strict=True),
        *lower,
        (found.lens, LENS),
        (found.rpe, RPE),
        (found.under, DRUSE),
        (found.bruch, CHOROID),
        (found.sclera, SCLERA),
    ]
    y = depth[:, None]
    level = np.full((len(depth), len(x)), VITREOUS)
    before = VITREOUS
    for top, bright in steps:
        level += (bright - before) * np.clip((y - top) / row + 0.5, 0, 1)
        before = bright
    tissue = np.clip((y - tops[0]) / row + 0.5, 0, 1)
    choroid = np.clip((y - found.bruch) / (4 * row), 0, 1)
    scale = len(x) / 256
    level += 0.022 * tissue * _cloud(random, level.shape, (3 * scale, 7 * scale))
    level += 0.075 * choroid * _cloud(random, level.shape, (3.5 * scale, 7 * scale))
    below = np.clip(y - found.bruch, 0, None)
    return np.asarray(level - 0.00055 * below)


def _shadows(found: Boundaries, conditions: Conditions, x: Array, depth: Array) -> Array:
    """Return the share of the light that reaches each pixel and comes back, `(Y, X)`."""
    y = depth[:, None]
    light = np.ones((len(depth), len(x)))
    for at, half, takes in conditions.vessels:
        below = np.clip((y - found.tops[0] - 25) / 30, 0, 1)
        light *= 1 - (1 - (1 - takes) ** 2.5) * below * np.exp(-(((x - at) / half) ** 2))
    return np.asarray(light)


def _speckle(shape: tuple[int, ...], scanner: Scanner, noise: float, random: np.random.Generator) -> Array:
    """Return speckle of mean 1: the mean of so many frames' |z|², z complex Gaussian and smooth over a pixel or so."""
    if noise <= 0:
        return np.ones(shape)
    waves = random.standard_normal((2 * scanner.frames, *shape), dtype=np.float32)
    waves = ndimage.gaussian_filter(waves, (0, 0.45, 0.7), mode="wrap", truncate=2.5)
    power = (waves**2).mean(axis=0)
    return np.asarray((power / power.mean()) ** noise)


def _cloud(random: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, float]) -> Array:
    """Return smooth noise of mean 0 and variance 1."""
    noise = ndimage.gaussian_filter(
        random.standard_normal(shape, dtype=np.float32), sigma, mode="wrap", truncate=3
    )
    return np.asarray((noise - noise.mean()) / noise.std())
