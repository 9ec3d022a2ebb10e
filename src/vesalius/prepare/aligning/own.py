"""Our own: normalised mutual information at random points, coarse to fine, by Powell's method; numpy and scipy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.prepare.aligning.contract import Aligner, Field, rigid
from vesalius.prepare.alike import Points, Pyramid, mutual_information

RANK = 1
LEVELS = (28, 56, 96)  # voxels along the longest side of the finest grid that a level looks at
POINTS = (6000, 16000, 40000)
ROUNDS = (12, 8, 6)  # of Powell's method, at most
REACH = 0.7  # of the field of view's radius: a turn by as much moves the edge as far as a shift does
SEED = 20_260


class OwnAligner(Aligner):
    """Registers by what the images' values say of one another, whatever each of them shows bright.

    Normalised mutual information (Studholme, Hill and Hawkes 1999) of values at random places of the later image is
    made as large as can be by Powell's method (1964), on coarse images first. It begins twice, from where the headers
    lay both and from where their middles of mass lie upon one another, and goes on from the better.
    """

    def align(self, later: Field, earlier: Field) -> Array:
        """Return the registration, as the contract has it. Raises DataError where an image is one value throughout."""
        for field, name in ((later, "later"), (earlier, "earlier")):
            if not float(np.ptp(field.array)) > 0:
                raise DataError(f"the {name} image is one value throughout: there is nothing to register by")
        pyramids = Pyramid(later), Pyramid(earlier)
        free = _Free(flat=later.flat and earlier.flat, centre=later.middle, radius=_radius(later))
        begun = [np.zeros(free.count), free.shifted(_mass(earlier) - _mass(later))]
        at: Array = begun[0]
        for level, longest in enumerate(LEVELS):
            fixed, moving = (p.at(longest) for p in pyramids)
            cost = _Cost(fixed, moving, free, points=POINTS[level], seed=SEED + level)
            step = float(fixed.spacing[: 2 if free.flat else 3].max())
            if level == 0:
                found = [_climb(cost, start, step, ROUNDS[0]) for start in begun]
                at = min(found, key=cost)
            else:
                at = _climb(cost, at, step, ROUNDS[level])
        return free.matrix(at)


@dataclass(frozen=True, eq=False)
class _Free:
    """What may be changed: in a plane a turn and two shifts, else three of both, in one unit of length."""

    flat: bool
    centre: Array
    radius: float

    @property
    def count(self) -> int:
        return 3 if self.flat else 6

    def matrix(self, at: Array) -> Array:
        turns = at[: self.count // 2] if not self.flat else np.array([0.0, 0.0, at[0]])
        shift = at[3:] if not self.flat else np.array([at[1], at[2], 0.0])
        return rigid(turns / (REACH * self.radius), shift, self.centre)

    def shifted(self, by: Array) -> Array:
        return np.concatenate(
            [np.zeros(self.count // 2 if not self.flat else 1), by[: 2 if self.flat else 3]]
        )


class _Cost:
    """How unlike two images are under a registration: the negative of their normalised mutual information."""

    def __init__(self, fixed: Field, moving: Field, free: _Free, *, points: int, seed: int) -> None:
        self.free, self.moving = free, moving
        self.points = Points.of(fixed, points, seed)

    def __call__(self, at: Array) -> float:
        return -mutual_information(self.points, self.moving, self.free.matrix(at))


def _climb(cost: _Cost, start: Array, step: float, rounds: int) -> Array:
    """Return where the cost is least near a start, looked for in steps of a voxel and fixed to a fraction of one."""
    from scipy.optimize import minimize

    def scaled(x: Array) -> float:
        return cost(start + x * step)

    options = {"xtol": 0.02, "ftol": 1e-5, "maxiter": rounds, "direc": np.eye(len(start))}
    found = minimize(scaled, np.zeros(len(start)), method="Powell", options=options)
    return np.asarray(start + np.asarray(found.x) * step)


def _radius(field: Field) -> float:
    return float(np.linalg.norm(field.spacing * np.array(field.array.shape[::-1]))) / 2


def _mass(field: Field) -> Array:
    """Return the middle of an image's mass: of its values above the lowest in a hundred."""
    weight = np.clip(field.array.astype(np.float64) - float(np.percentile(field.array, 1)), 0, None)
    total = float(weight.sum())
    if not total > 0:
        return field.middle
    index = []
    for axis in (2, 1, 0):  # x, y, z
        others = tuple(a for a in range(3) if a != axis)
        index.append(float(weight.sum(axis=others) @ np.arange(field.array.shape[axis])) / total)
    return np.asarray(field.affine[:3, :3] @ index + field.affine[:3, 3])


ALIGNER = OwnAligner()
