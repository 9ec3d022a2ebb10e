"""Bones and vessels as tubes: lines through the chest whose thickness is exact, laid on a film by a convolution."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import signal

from vesalius.core.image import Array
from vesalius.phantom.thorax.body import FIELD_MM, MEDIAL_MM, SIDES, Person, Shape


@dataclass
class Lines:
    """Lines to be laid on a film, as points `(y, x)` in mm that each stand for a length in mm."""

    points: list[Array] = field(default_factory=list)
    lengths: list[Array] = field(default_factory=list)

    def add(self, y: Array, x: Array, deep: Array | None = None) -> None:
        """Add a line through points in order; `deep` is how far from the film each is."""
        steps = np.diff(np.stack([y, x, np.zeros_like(x) if deep is None else deep]), axis=1)
        self.points.append(np.stack([(y[1:] + y[:-1]) / 2, (x[1:] + x[:-1]) / 2]))
        self.lengths.append(np.sqrt((steps**2).sum(axis=0)))

    def laid(self, size: int) -> Array:
        """Return the length of lines over each pixel `(size, size)`, shared by the four nearest pixels."""
        found = np.zeros((size + 2, size + 2))
        if not self.points:
            return found[1:-1, 1:-1]
        at = (np.concatenate(self.points, axis=1) + FIELD_MM / 2) * size / FIELD_MM + 0.5
        lengths = np.concatenate(self.lengths)
        inside = ((at > 0) & (at < size + 1)).all(axis=0)
        at, lengths = at[:, inside], lengths[inside]
        low = np.floor(at).astype(int)
        share = at - low
        for dy in (0, 1):
            for dx in (0, 1):
                weight = np.abs(1 - dy - share[0]) * np.abs(1 - dx - share[1])
                np.add.at(found, (low[0] + dy, low[1] + dx), weight * lengths)
        return found[1:-1, 1:-1]


def thick(laid: Array, radius_mm: float, *, hollow_mm: float = 0.0) -> Array:
    """Return how thick tubes of a radius around lines are, in mm: their chord, less that of what is hollow.

    A line in the film's plane through a disc of height 1 a millimetre is 2 √(R² − d²), the chord of its tube.
    """
    pixel = FIELD_MM / laid.shape[0]
    kernel = _disc(radius_mm / pixel) - (_disc(hollow_mm / pixel, radius_mm / pixel) if hollow_mm else 0)
    return np.asarray(np.clip(signal.fftconvolve(laid, kernel, mode="same"), 0, None))


def _disc(radius: float, room: float | None = None) -> Array:
    half = int(np.ceil(room if room is not None else radius)) + 1
    fine = (np.arange((2 * half + 1) * 5) + 0.5) / 5 - half - 0.5
    inside = np.hypot(fine[:, None], fine[None, :]) < radius
    return np.asarray(inside.reshape(2 * half + 1, 5, 2 * half + 1, 5).mean(axis=(1, 3)))


def skeleton(shape: Shape, person: Person, random: np.random.Generator) -> tuple[Lines, Lines]:
    """Return the ribs' lines, and those of the clavicles."""
    ribs, clavicles = Lines(), Lines()
    sag = float(random.normal(0, 3))
    for side in SIDES:
        tilt = float(random.normal(0, 1.5))
        for k in range(10):
            start = shape.apex + 4 + k * shape.ribs + tilt
            drop = 62 + 5.0 * k + sag
            out = MEDIAL_MM + 2 * float(shape.width(start + 0.5 * drop)) + 5
            end = np.pi * (0.80 if k < 7 else 0.80 - 0.11 * (k - 6))
            angle = np.linspace(0.09 * np.pi, end, 160)
            y = start + drop * (1 - np.cos(angle)) / 2 - 9 * np.sin(angle) ** 2
            ribs.add(y, side * out * np.sin(angle) ** 0.85, -95 * np.cos(angle))
        t = np.linspace(0, 1, 80)
        rise = float(random.normal(10, 6)) + (-10 if person.view == "AP" else 0)
        y = shape.apex + 12 - rise * t + 7 * np.sin(2 * np.pi * t)
        clavicles.add(y, side * (16 + 132 * person.scale * t))
    return ribs, clavicles


def vessels(shape: Shape, side: int, random: np.random.Generator) -> dict[float, Lines]:
    """Return the vessels of one lung by their radius in mm: a tree from the hilum that forks and thins."""
    found = {5.5: Lines(), 3.4: Lines(), 2.1: Lines(), 1.3: Lines()}
    radii = list(found)
    hilum = (6.0 + (-5 if side > 0 else 3), side * (MEDIAL_MM + 9))

    def grow(y: float, x: float, angle: float, level: int) -> None:
        length = float(random.uniform(0.75, 1.2)) * (26, 30, 30, 26)[level]
        bend = float(random.normal(0, 0.3))
        t = np.linspace(0, 1, 24)
        course = angle + bend * t
        rows = y + np.cumsum(np.cos(course)) * length / 24
        columns = x + side * np.cumsum(np.sin(course)) * length / 24
        inside = shape.lung(side, rows, columns) > 12
        inside &= rows < shape.floor(side, columns)
        stop = len(t) if inside.all() else int(np.argmin(inside)) if level else len(t)
        if stop > 2:
            found[radii[level]].add(rows[:stop], columns[:stop])
        if stop < len(t) or level == 3:
            return
        for turn in (random.normal(-0.42, 0.2), random.normal(0.42, 0.2)):
            grow(float(rows[-1]), float(columns[-1]), float(course[-1] + turn), level + 1)

    for angle in np.linspace(0.15, 2.8, 9):
        grow(*hilum, float(angle + random.normal(0, 0.12)), 0)
    return found
