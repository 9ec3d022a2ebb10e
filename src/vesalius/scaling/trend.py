"""Whether what was measured falls along a thing at all: beyond noise, or not, or it rises, so that no law fits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from vesalius.scaling.points import Cell, Floats

FEWEST = 4  # places that a law of one thing needs
SURE = 0.05  # the chance of being wrong about a fall, or a rise, at most
EXPLAINED = 0.6  # of the spread of the logarithms: a law that accounts for less is none

FALLS, FLAT, RISES, FEW, NEGATIVE, UNLIKE = "falls", "flat", "rises", "few", "negative", "unlike"
WHY = {
    FLAT: "no fall can be told from noise",
    RISES: "it rises",
    FEW: f"a law needs {FEWEST} places at least",
    NEGATIVE: "some of it is not above 0, and a law of powers is about ratios",
    UNLIKE: "no law of powers accounts for how it goes up and down",
}


def trends(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return for each thing whether the values, all above 0, fall along it (`FALLS`, `FLAT`, `RISES`).

    Least squares of the logarithms of the cells' means on those of the places, all things at once, and a one-sided test
    of each slope; its noise is what is left by the slopes, or what seeds do alone where that says more surely that
    there is a fall: a curve that bends leaves much, and is none the less a fall.
    """
    places = np.log(np.array([cell.x for cell in cells], dtype=np.float64))
    means = np.log(np.array([cell.mean for cell in cells]))
    design = np.column_stack([np.ones(len(means)), places - places.mean(axis=0)])
    slopes, *_ = np.linalg.lstsq(design, means, rcond=None)
    spare = len(means) - design.shape[1]
    inverse = np.linalg.pinv(design.T @ design)
    left = means - design @ slopes
    found = []
    for k in range(1, design.shape[1]):
        chances = []
        if spare > 0:
            chances.append(_chance(slopes[k], inverse[k, k], float(left @ left) / spare, spare))
        noise = _between_seeds(cells)
        if noise is not None:
            chances.append(_chance(slopes[k], inverse[k, k], *noise))
        falls = min(chances, default=0.5)
        rises = 1 - falls  # by both, as none of them then sees a fall
        found.append(FALLS if falls < SURE else RISES if rises < SURE else FLAT)
    return tuple(found)


def _chance(slope: float, inverse: float, variance: float, spare: float) -> float:
    """Return the chance of a slope that falls so much, or more, where there is none."""
    error = float(np.sqrt(max(variance * inverse, 1e-24)))
    return float(stats.t.cdf(slope / error, spare))


def _between_seeds(cells: Sequence[Cell]) -> tuple[float, float] | None:
    """Return the variance of a cell's mean that seeds alone make, and its degrees of freedom; None below three."""
    logs: list[Floats] = [np.log(np.asarray(cell.values)) for cell in cells]
    spare = sum(len(each) - 1 for each in logs)
    if spare < 3:
        return None
    squares = sum(float(np.sum((each - each.mean()) ** 2)) for each in logs)
    runs = len(logs) / sum(1 / len(each) for each in logs)
    return squares / spare / runs, float(spare)
