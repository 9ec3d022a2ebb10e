"""What was measured: runs at one place (so many parameters, so many labels), several of them with other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vesalius.core.errors import DataError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """Runs at one place. `x` holds how much there was of each thing, all above 0; `values` what each seed came to."""

    x: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the seeds: never the best of them, which would fall with more seeds alone."""
        return float(np.mean(self.values))


@dataclass(frozen=True, eq=False)
class Table:
    """Cells as arrays: places `(cells, things)` as logarithms, and of the logarithms of the values what a fit needs.

    `means` `(cells,)` are the logarithms of the cells' means. `counts` are runs a cell, `squares` the sums of squares
    of their logarithms around the cell's own mean: what seeds alone do.
    """

    places: Floats
    means: Floats
    counts: Floats
    squares: Floats

    @property
    def spare(self) -> float:
        """The degrees of freedom by which the noise between seeds is known."""
        return float(np.sum(self.counts - 1))

    @property
    def noise(self) -> float | None:
        """The noise between seeds as a deviation of the logarithm; None where each place has one run."""
        return None if self.spare < 1 else float(np.sqrt(np.sum(self.squares) / self.spare))


def assert_cells(cells: Sequence[Cell]) -> None:
    """Raise DataError for cells without values, of different things, or with places that are not above 0."""
    for cell in cells:
        if not cell.values or len(cell.x) != len(cells[0].x):
            raise DataError("every cell needs values, and places of the same things", found=str(cell)[:80])
        if not (np.all(np.isfinite(cell.x)) and min(cell.x) > 0):
            raise DataError("a power law needs places above 0", found=str(cell.x))
        if not np.all(np.isfinite(cell.values)):
            raise DataError("a measured value is not a number", found=str(cell.values)[:80])


def positive(cells: Sequence[Cell]) -> bool:
    """Return whether every value lies above 0, as a law of powers needs it."""
    return all(min(cell.values) > 0 for cell in cells)


def tabled(cells: Sequence[Cell]) -> Table:
    """Return cells as arrays; their values must lie above 0."""
    logs = [np.log(np.asarray(cell.values)) for cell in cells]
    return Table(
        places=np.log(np.array([cell.x for cell in cells], dtype=np.float64)),
        means=np.log(np.array([cell.mean for cell in cells])),
        counts=np.array([float(len(each)) for each in logs]),
        squares=np.array([float(np.sum((each - each.mean()) ** 2)) for each in logs]),
    )


def spread(cells: Sequence[Cell]) -> float:
    """Return how far apart the means of the cells lie: the largest less the smallest."""
    means = [cell.mean for cell in cells]
    return max(means) - min(means)
