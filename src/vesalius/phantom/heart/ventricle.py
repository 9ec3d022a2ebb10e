"""The left ventricle in a plane through its long axis: half an ellipse whose wall keeps its volume.

Its volume is that of half an ellipsoid, 2/3 π b² L, which is what the area-length method gives of its outline,
8 A² / (3 π L) with A = π b L / 2. A bent axis shifts slices sideways and changes neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.image import Array

FULL_ML = (70.0, 220.0)
SLENDER = (2.4, 3.4)  # the long over the short half axis, when full
LENGTHWISE = (0.16, 0.28)  # how much of the emptying is by shortening: L goes with the volume to this power
WALL_MM = (7.0, 12.0)  # when full
REACH_MM = 25.0  # how far from the wall its motion is halved, and more


@dataclass(frozen=True)
class Ventricle:
    """A ventricle when full, in mm: `length` from base to apex, `wall`, and how its axis is `bent` (1/mm).

    The apex lies `apex` mm `(down, right)` from the probe, and the axis `tilt` degrees from straight down.
    """

    full_ml: float
    length: float
    lengthwise: float
    wall: float
    bent: float
    apex: tuple[float, float]
    tilt: float

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values."""
        return {
            "full_ml": self.full_ml, "length_mm": self.length, "lengthwise": self.lengthwise,
            "wall_mm": self.wall, "bent_per_mm": self.bent, "apex_mm": list(self.apex), "tilt_deg": self.tilt,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Axes:
    """Half axes and walls in mm by frame, `(T,)`: `length`, and of the septum and the side wall the width and wall."""

    length: Array
    septum: Array
    side: Array
    septum_wall: Array
    side_wall: Array

    def at(self, frame: int) -> Axes:
        """Return those of one frame, `(1,)`."""
        here = slice(frame, frame + 1)
        return Axes(
            self.length[here], self.septum[here], self.side[here], self.septum_wall[here], self.side_wall[here]
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tissue:
    """Where each pixel's tissue is, `(T, Y, X)`: what it shows follows from this alone.

    `lateral` and `along` are its place in mm when the heart is full, from the apex on: along the axis, and across it.
    `depth` is its distance in mm from the inner wall of the ventricle, negative inside. `across` and `down` are its
    place now, in mm from the axis and from the apex. `wall` is how thick the wall is there now. `facing` is how much
    the wall there faces the probe, from 0 to 1.
    """

    lateral: Array
    along: Array
    depth: Array
    across: Array
    down: Array
    wall: Array
    facing: Array


def draw_ventricle(random: np.random.Generator) -> Ventricle:
    """Return a full ventricle: its size and shape are drawn without regard to how well it ejects."""

    def between(low: float, high: float, digits: int = 3) -> float:
        return round(float(random.uniform(low, high)), digits)

    full = round(float(np.clip(np.exp(random.normal(np.log(125), 0.25)), *FULL_ML)), 2)
    slender = between(*SLENDER)
    length = round(float((1.5 * full * 1000 * slender**2 / np.pi) ** (1 / 3)), 3)
    return Ventricle(
        full,
        length,
        between(*LENGTHWISE),
        between(*WALL_MM),
        round(float(random.normal(0, 0.0008)), 6),
        (between(14, 24), between(-8, 8)),
        between(-12, 12),
    )


def axes(ventricle: Ventricle, septum_ml: Array, side_ml: Array) -> Axes:
    """Return the half axes of volumes by frame, `(T,)`, such that half of each side's ellipsoid is the volume."""
    whole = (septum_ml + side_ml) / 2
    length = ventricle.length * (whole / ventricle.full_ml) ** ventricle.lengthwise
    widths = [np.sqrt(1500 * ml / (np.pi * length)) for ml in (septum_ml, side_ml)]
    full = np.sqrt(1500 * ventricle.full_ml / (np.pi * ventricle.length))
    muscle = (full + ventricle.wall) ** 2 * (ventricle.length + ventricle.wall) - full**2 * ventricle.length
    walls = [_wall(width, length, muscle, ventricle.wall) for width in widths]
    return Axes(length, widths[0], widths[1], walls[0], walls[1])


def _wall(width: Array, length: Array, muscle: float, first: float) -> Array:
    """Return the wall whose muscle keeps its volume, by Newton's steps."""
    wall = np.full_like(width, first)
    for _ in range(12):
        outer, tall = width + wall, length + wall
        wall = wall - (outer**2 * tall - width**2 * length - muscle) / (2 * outer * tall + outer**2)
    return wall


def tissue(ventricle: Ventricle, now: Axes, full: Axes, down_mm: Array, right_mm: Array) -> Tissue:
    """Return where the tissue of each pixel is. Places are in mm from the probe, `(T, Y, X)`; `full` has one frame.

    Muscle moves with the wall and keeps its place in it; what is further out moves less; the apex stays.
    """
    turn = math.radians(ventricle.tilt)
    cosine, sine, tall = math.cos(turn), math.sin(turn), float(full.length[0])
    y, x = down_mm - ventricle.apex[0], right_mm - ventricle.apex[1]
    down = y * cosine + x * sine  # from the apex along the axis
    bow = ventricle.bent * down * (down - ventricle.length)
    across = x * cosine - y * sine - bow
    left = across < 0
    length = _frames(now.length, across)
    width, wall = (
        _either(left, *pair) for pair in ((now.septum, now.side), (now.septum_wall, now.side_wall))
    )
    width_full, wall_full = (
        _either(left, *pair) for pair in ((full.septum, full.side), (full.septum_wall, full.side_wall))
    )
    up = np.maximum(length - down, 0)  # from the base towards the apex
    depth = _level(np.abs(across), up, width, length)
    kept = np.where(depth < 0, depth * width_full / width, depth * wall_full / wall)
    beyond = depth > wall
    fading = np.exp2(-(np.maximum(depth - wall, 0) / REACH_MM))
    kept = np.where(beyond, depth + (wall_full - wall) * fading, kept)
    ratio_across = (width_full + kept) / np.maximum(width + depth, 1e-3)
    ratio_up = (tall + kept) / np.maximum(length + depth, 1e-3)
    lateral = across * np.where(beyond, 1 + (ratio_across - 1) * fading, ratio_across)
    above = tall - up * np.where(beyond, 1 + (ratio_up - 1) * fading, ratio_up)
    below = np.maximum(down - length, 0)
    along = np.where(
        below > 0,
        tall + below - (tall - length) * (1 - np.exp2(-below / REACH_MM)),
        above,
    )
    slope = np.hypot(across / width**2, up / length**2) + 1e-9
    beam = np.hypot(y + ventricle.apex[0], x + ventricle.apex[1]) + 1e-9
    normal_down = np.where(below > 0, 0, -up / length**2 / slope)
    normal_across = np.where(below > 0, np.sign(across), across / width**2 / slope)
    beam_down = ((y + ventricle.apex[0]) * cosine + (x + ventricle.apex[1]) * sine) / beam
    beam_across = ((x + ventricle.apex[1]) * cosine - (y + ventricle.apex[0]) * sine) / beam
    facing = np.abs(normal_down * beam_down + normal_across * beam_across)
    return Tissue(lateral + bow, along, depth, across, down, wall, np.minimum(facing, 1))


def _frames(values: Array, like: Array) -> Array:
    return values.astype(like.dtype)[:, None, None]


def _either(left: Array, septum: Array, side: Array) -> Array:
    """Return the septum's values left of the axis, and the side wall's right of it."""
    return np.where(left, septum.astype(np.float32)[:, None, None], side.astype(np.float32)[:, None, None])


def _level(across: Array, up: Array, width: Array, length: Array) -> Array:
    """Return d of the half ellipse with axes `width + d` and `length + d` through each point, by Newton's steps."""
    far = np.hypot(across / width, up / length)
    level = (far - 1) * np.where(
        far < 1, width, width + (length - width) * (up / length / np.maximum(far, 1e-3)) ** 2
    )
    for _ in range(3):
        a, b = np.maximum(width + level, 0.5), np.maximum(length + level, 0.5)
        u, v = across / a, up / b
        missed = u**2 + v**2 - 1
        level = level + np.clip(missed / (2 * (u**2 / a + v**2 / b) + 1e-6), -10, 10)
    return np.asarray(np.maximum(level, -width))
