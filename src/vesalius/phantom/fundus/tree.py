"""The vessels of a retina: an artery and a vein in each quadrant, with their branches, grown step by step.

Coordinates are millimetres from the middle of the disc, `(x, y)`: x towards the temple, where the fovea lies, y down. A
course turns slowly towards where it is going, and a wave is added to its direction: the sine-generated curve, by which
rivers meander (Langbein and Leopold 1966). Radii at a branching keep Murray's law (1926): r³ = r₁³ + r₂³.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.fundus.grading import Quadrant

ARTERY, VEIN = "artery", "vein"
FOVEA = (4.6, 0.35)  # mm from the middle of the disc
DISC_MM = 0.92  # the radius of the disc
ZONE_MM = (DISC_MM, 4.0)  # along a trunk's course: where tortuosity is measured
STEP_MM = 0.06
REACH_MM = 11.0  # how far from the disc vessels are grown
AVASCULAR_MM = 0.45  # around the fovea
THINNEST_MM = 0.016  # radius
STEEPEST = 1.5  # radians between a vessel and its course
DEPTH = 3  # of branches of branches
CELL_MM = 0.13  # two vessels of one sort do not come nearer


@dataclass(frozen=True, eq=False)
class Vessel:
    """One vessel from one branching of its parent to its end: `points` `(N, 2)` and `radii` `(N,)` in mm.

    `tortuosity` is its own, in the zone for a trunk. `order` is 0 for a trunk.
    """

    sort: str
    quadrant: str
    order: int
    points: Array
    radii: Array
    tortuosity: float


@dataclass(frozen=True)
class _Start:
    """Where and how a vessel begins: place, course (radians), radius, length of its course, and what it turns to."""

    at: tuple[float, float]
    course: float
    radius: float
    length: float
    turns: float  # mm over which it turns
    goal: float | str  # a direction, or `fovea`, `outward`


@dataclass(frozen=True)
class _Shoot:
    """A vessel that is still to be grown: its number in the tree, its parent's, and how many branchings lie before."""

    start: _Start
    tortuosity: float
    quadrant: str
    number: int
    parent: int
    order: int


# Each trunk: its direction at the disc and far away, in degrees above the line to the temple; mm over which it turns.
TRUNKS = {
    ("temporal", ARTERY): ((62.0, 78.0), (-12.0, 4.0), (2.3, 3.1)),
    ("temporal", VEIN): ((76.0, 92.0), (-10.0, 6.0), (2.8, 3.7)),
    ("nasal", ARTERY): ((112.0, 126.0), (142.0, 160.0), (3.0, 6.0)),
    ("nasal", VEIN): ((100.0, 114.0), (130.0, 150.0), (3.0, 6.0)),
}
ARTERY_UM = (100.0, 128.0)  # the calibre of arteries at the disc


def grow(quadrants: Sequence[Quadrant], seed: Callable[[int], np.random.Generator]) -> tuple[Vessel, ...]:
    """Return all vessels of an eye, veins before arteries and trunks before their branches.

    `seed` gives the generator of a vessel by its number in the tree, so that an eye with calmer vessels has branches
    in the same places.
    """
    found: list[Vessel] = []
    for sort in (VEIN, ARTERY):
        taken: dict[tuple[int, int], int] = {}
        waiting = [
            _trunk(quadrant, sort, 1 + 2 * k + (sort == ARTERY), seed) for k, quadrant in enumerate(quadrants)
        ]
        while waiting:
            shoots = [shoot for one in waiting for shoot in _grown(one, sort, seed, taken, found)]
            waiting = [shoot for shoot in shoots if shoot.order <= DEPTH]
    return tuple(found)


def _trunk(quadrant: Quadrant, sort: str, number: int, seed: Callable[[int], np.random.Generator]) -> _Shoot:
    random = seed(number)
    up = -1.0 if quadrant.name.startswith("superior") else 1.0
    first, last, turns = (float(random.uniform(*r)) for r in TRUNKS[quadrant.name.partition(" ")[2], sort])
    artery_um, share = float(random.uniform(*ARTERY_UM)), float(random.uniform(0.4, 0.8))
    wide = quadrant.calibre_um if sort == VEIN else artery_um
    at = float(random.uniform(-0.28, -0.02)), float(up * random.uniform(0.0, 0.3))
    start = _Start(at, up * math.radians(first), wide / 2000, REACH_MM, turns, up * math.radians(last))
    return _Shoot(start, quadrant.tortuosity * (share if sort == VEIN else 1.0), quadrant.name, number, 0, 0)


def _grown(
    shoot: _Shoot,
    sort: str,
    seed: Callable[[int], np.random.Generator],
    taken: dict[tuple[int, int], int],
    found: list[Vessel],
) -> list[_Shoot]:
    """Grow one vessel, add it to `found` and its cells to `taken`, and return what branches off it."""
    random, start = seed(shoot.number + 1000), shoot.start
    wave, own = _wave(random, int(start.length / STEP_MM * 1.8), shoot.tortuosity, shoot.order)
    starts = _branchings(random, shoot.order, start.length)
    points, radii, branches = _walk(start, wave, starts, random, _Taken(taken, shoot.number, shoot.parent))
    if len(points) < (12 if shoot.order else 2):
        return []
    found.append(Vessel(sort, shoot.quadrant, shoot.order, points, radii, round(own, 4)))
    for (x, y), cell in zip(points, np.floor(points / CELL_MM).astype(int).tolist(), strict=True):
        if math.hypot(x, y) > 0.6 * DISC_MM:
            taken.setdefault((cell[0], cell[1]), shoot.number)
    return [
        _Shoot(
            branch,
            shoot.tortuosity * float(seed(shoot.number * 31 + k + 5000).uniform(0.5, 0.9)),
            shoot.quadrant,
            shoot.number * 31 + k + 100,
            shoot.number,
            shoot.order + 1,
        )
        for k, branch in enumerate(branches)
    ]


def _wave(random: np.random.Generator, steps: int, tortuosity: float, order: int) -> tuple[Array, float]:
    """Return the wave of a vessel's direction by step, in radians, and its tortuosity.

    That of a trunk, within the zone, is the one that is asked for: the height of the wave is found by halving.
    """
    s = np.arange(steps) * STEP_MM
    length = float(random.uniform(1.1, 1.7)) * (0.85**order)
    a, b, c, d = random.uniform(0, 2 * np.pi, 4)
    phase = 2 * np.pi * s / length + a + 0.7 * np.sin(2 * np.pi * s / (3.3 * length) + b)
    shape = np.sin(phase) * (1 + 0.3 * np.sin(2 * np.pi * s / (2.6 * length) + c))
    shape += 0.12 * np.sin(2 * np.pi * s / (0.43 * length) + d)
    shape *= np.clip(s / 0.5, 0, 1)
    low, high, wave = 0.0, 5.0, shape
    for _ in range(26):
        middle = (low + high) / 2
        wave = STEEPEST * np.tanh(middle * shape / STEEPEST)  # so that a vessel never turns back
        low, high = (middle, high) if _tortuosity(wave, s) < tortuosity else (low, middle)
    return wave, _tortuosity(wave, s)


def _tortuosity(wave: Array, s: Array) -> float:
    """Return the length of a vessel over that of its course, less 1, between the ends of the zone along its course."""
    along = np.cumsum(np.cos(wave)) * STEP_MM
    begins, ends = np.interp(ZONE_MM, along, s)
    return float((ends - begins) / (ZONE_MM[1] - ZONE_MM[0]) - 1)


def _branchings(
    random: np.random.Generator, order: int, length: float
) -> list[tuple[float, float, float, float]]:
    """Return where a vessel branches, along its course, with the side, the angle and the share of the radius."""
    found = []
    at = float(random.uniform(1.1, 1.8) if order == 0 else random.uniform(0.4, 1.0))
    side = 1.0 if random.random() < 0.5 else -1.0
    while at < length:
        angle, share = float(random.uniform(35, 70)), float(random.uniform(0.5, 0.78))
        found.append((at, side, math.radians(angle), share))
        side = -side if random.random() < 0.75 else side
        at += float(random.uniform(0.55, 1.25)) * (1 + 0.25 * order)
    return found


@dataclass(frozen=True)
class _Taken:
    """Cells that vessels of the same sort hold; a vessel's own and, at first, its parent's do not stop it."""

    cells: dict[tuple[int, int], int]
    number: int
    parent: int

    def stops(self, x: float, y: float, step: int) -> bool:
        """Return whether something else is here."""
        held = self.cells.get((math.floor(x / CELL_MM), math.floor(y / CELL_MM)))
        return held is not None and not (held == self.parent and step < 8)


def _walk(
    start: _Start,
    wave: Array,
    branchings: Sequence[tuple[float, float, float, float]],
    random: np.random.Generator,
    taken: _Taken,
) -> tuple[Array, Array, list[_Start]]:
    """Return the points and the radii of a vessel, and where its branches begin."""
    (x, y), course, radius = start.at, start.course, start.radius
    drift = random.normal(0, 0.035, len(wave)).tolist()
    points, radii, branches = [(x, y)], [radius], []
    along, following = 0.0, list(branchings)
    for step, w in enumerate(wave.tolist()):
        course += _turn(start.goal, course, x, y) * STEP_MM / start.turns + drift[step]
        x += STEP_MM * math.cos(course + w)
        y += STEP_MM * math.sin(course + w)
        along += STEP_MM * math.cos(w)
        thin = radius * (1 - 0.25 * along / start.length)
        if along >= start.length or thin < THINNEST_MM or _outside(x, y) or taken.stops(x, y, step):
            break
        points.append((x, y))
        radii.append(thin)
        if following and along >= following[0][0]:
            _, side, angle, share = following.pop(0)
            child = thin * share
            if child >= THINNEST_MM and math.hypot(x, y) > 1.1 * DISC_MM:
                away = course + w + side * angle
                branches.append(_branch((x, y), away, child))
                radius *= (1 - share**3) ** (1 / 3)
                course -= side * 0.12 * share
    return np.array(points), np.array(radii), branches


def _branch(at: tuple[float, float], course: float, radius: float) -> _Start:
    """Return how a branch begins: towards the fovea where that lies ahead of it, else outward."""
    ahead = math.atan2(FOVEA[1] - at[1], FOVEA[0] - at[0])
    inner = abs(_between(ahead, course)) < 1.4 and at[0] > 0.3
    return _Start(at, course, radius, 1.4 + 55 * radius, 2.2, "fovea" if inner else "outward")


def _turn(goal: float | str, course: float, x: float, y: float) -> float:
    """Return by how much a course is off from where it is going, in radians."""
    if goal == "fovea":
        goal = math.atan2(FOVEA[1] - y, FOVEA[0] - x)
    elif goal == "outward":
        goal = math.atan2(y - 0.3 * FOVEA[1], x - 0.45 * FOVEA[0])
    return _between(float(goal), course)


def _between(goal: float, course: float) -> float:
    return (goal - course + math.pi) % (2 * math.pi) - math.pi


def _outside(x: float, y: float) -> bool:
    far = (x - 2.0) ** 2 + y**2 > REACH_MM**2
    return far or (x - FOVEA[0]) ** 2 + (y - FOVEA[1]) ** 2 < AVASCULAR_MM**2
