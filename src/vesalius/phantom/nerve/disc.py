"""The picture of an optic disc: disc, cup and vessels of a patient, taken a little differently at each visit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array

FUNDUS, DISC, CUP, VESSEL = (
    np.array(c, float) for c in ((188, 84, 44), (228, 150, 92), (246, 214, 172), (120, 26, 24))
)
RADIUS = (0.30, 0.37)  # of a disc, as a share of the picture's side
TEXTURE = 9.0  # grey values


@dataclass(frozen=True, eq=False)
class Disc:
    """A patient's disc: half its height as a share of the side, how wide it is over that, and where the cup lies in it.

    `off` is the cup's middle `(y, x)` from the disc's in half heights, `clear` how well its border is seen, `tints`
    multiply the colours of disc and fundus, `vessels` are lines `(P, 2)` in half heights with their widths, and
    `texture` seeds the fundus. `left` says whether it is a left eye.
    """

    radius: float
    wide: float
    off: tuple[float, float]
    clear: float
    tints: Array
    vessels: tuple[tuple[Array, float], ...]
    texture: int
    left: bool


def draw_disc(random: np.random.Generator) -> Disc:
    """Return a patient's disc: nothing of it has to do with how its cup grows."""
    radius, wide = float(random.uniform(*RADIUS)), float(random.uniform(0.84, 0.98))
    off = float(random.normal(0, 0.04)), float(random.normal(0.05, 0.04))
    clear = float(random.uniform(0.65, 1.0))
    tints = random.uniform(0.94, 1.06, (2, 3))
    vessels = []
    for up in (-1, 1):
        for bend in random.uniform(0.5, 1.5, 2):
            vessels.append(_vessel(random, up, float(bend)))
    vessels += [
        _vessel(random, int(random.choice([-1, 1])), float(random.uniform(-0.9, 0.1))) for _ in range(2)
    ]
    return Disc(
        radius,
        wide,
        off,
        clear,
        tints,
        tuple(vessels),
        int(random.integers(2**31)),
        bool(random.random() < 0.5),
    )


def picture(disc: Disc, cup: float, random: np.random.Generator, *, size: int) -> Array:
    """Return the picture `(Y, X, 3)` uint8 of one visit, of a cup of that share of the disc's height.

    Each visit turns, shifts, enlarges, lights and blurs it anew, and has noise of its own.
    """
    turn, zoom = np.deg2rad(random.normal(0, 4)), float(np.clip(random.normal(1, 0.05), 0.88, 1.12))
    shift = np.clip(random.normal(0, 0.025, 2), -0.06, 0.06)
    at = (np.arange(size) + 0.5) / size - 0.5
    y, x = np.meshgrid(at - shift[0], at - shift[1], indexing="ij")
    scale = disc.radius * zoom
    v, u = (y * np.cos(turn) - x * np.sin(turn)) / scale, (x * np.cos(turn) + y * np.sin(turn)) / scale
    u = -u if disc.left else u
    pixels = size * scale  # a half height
    inside = _inside(np.hypot(u / disc.wide, v), pixels, 0.03)
    wide = 0.5 + 0.5 * disc.wide
    hollow = _inside(
        np.hypot((u - disc.off[1] * (1 - cup)) / wide, v - disc.off[0] * (1 - cup)) / cup, pixels * cup, 0.10
    )
    texture = np.random.default_rng(disc.texture).standard_normal((size, size))
    texture = TEXTURE * ndimage.gaussian_filter(texture, size / 30, mode="wrap") * size / 8.5
    fundus = FUNDUS * disc.tints[1] + texture[..., None] * (1.0, 0.7, 0.4)
    seen = fundus * (1 - inside[..., None]) + DISC * disc.tints[0] * inside[..., None]
    pale = (hollow * inside * disc.clear)[..., None]
    seen = seen * (1 - pale) + CUP * disc.tints[0] * pale
    covered = np.zeros_like(u)
    for line, width in disc.vessels:
        covered = np.maximum(covered, np.clip((width - _far(u, v, line)) * pixels + 0.5, 0, 1))
    seen = seen * (1 - 0.75 * covered[..., None]) + VESSEL * 0.75 * covered[..., None]
    slope = random.normal(0, 0.18, 2)
    light = (
        (1 + slope[0] * y + slope[1] * x)[..., None]
        * random.uniform(0.82, 1.08)
        * random.uniform(0.95, 1.05, 3)
    )
    blur = float(random.uniform(0.3, 0.9)) * size / 64
    seen = ndimage.gaussian_filter(seen * light, (blur, blur, 0), mode="nearest")
    seen = seen + random.normal(0, 6, seen.shape)
    return np.asarray(np.rint(np.clip(seen, 0, 255)), np.uint8)


def _inside(distance: Array, pixels: float, soft: float) -> Array:
    """Return from 0 to 1 how far inside a border at 1 a pixel is, which is `soft` half heights, or a pixel, soft."""
    return np.clip((1 - distance) / max(soft, 1 / pixels) + 0.5, 0, 1)


def _vessel(random: np.random.Generator, up: int, bend: float) -> tuple[Array, float]:
    """Return a vessel that leaves the disc's middle upwards or downwards and bends to one side, and its half width."""
    along = np.linspace(0, 1, 9)
    y = up * (0.1 + 2.2 * along) + 0.05 * random.normal()
    x = -0.25 + 0.1 * random.normal() + bend * along**1.6 + 0.08 * np.sin(5 * along + random.uniform(0, 6))
    return np.stack([y, x], axis=1), float(random.uniform(0.035, 0.07))


def _far(u: Array, v: Array, line: Array) -> Array:
    """Return the distance of each pixel from a line of short straight parts."""
    found = np.full(u.shape, np.inf)
    for (a, b), (c, d) in pairwise(line):
        along = np.clip(((v - a) * (c - a) + (u - b) * (d - b)) / ((c - a) ** 2 + (d - b) ** 2), 0, 1)
        found = np.minimum(found, np.hypot(v - a - along * (c - a), u - b - along * (d - b)))
    return found
