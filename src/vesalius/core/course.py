"""Course: what was measured again and again of one case, without an image: an ECG, blood values, regions of an fMRI."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.shown import Shown, some
from vesalius.core.words import counted

UNITS = {"s": 1.0, "days": 86_400.0}  # of times, in seconds


@dataclass(frozen=True, eq=False)
class Course(Shown):
    """A time course: `values` `(T, F)` float, a row a time and a column a quantity, NaN where nothing was measured.

    `names` `(F,)` are those of the quantities, empty where nobody says them. `times` `(T,)` never fall and are in
    `unit`, `s` or `days`; where no file says them they are 0, 1, 2 … and `timed` is False. Where rows are the nodes of
    a tree (lesion, organ, study) instead of times, `parents` `(T,)` is the place of the row above each, -1 of the root.
    Raises DataError where these do not fit one another.
    """

    values: Array
    names: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    unit: str = "s"
    timed: bool = True
    parents: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not self.values.size:
            raise DataError(
                "a time course is a table (T, F): a row a time", found=f"shape {self.values.shape}"
            )
        if self.names and len(self.names) != self.values.shape[1]:
            raise DataError(
                f"{counted(self.values.shape[1], 'quantity', 'quantities')} in a time course",
                found=counted(len(self.names), "name"),
            )
        if self.unit not in UNITS:
            raise DataError("times of a time course are in s or days", found=self.unit)
        if not self.times:
            object.__setattr__(self, "times", tuple(float(t) for t in range(len(self.values))))
            object.__setattr__(self, "timed", False)
        if len(self.times) != len(self.values):
            raise DataError(
                f"a time for each of {counted(len(self.values), 'row')} of a time course",
                found=counted(len(self.times), "time"),
            )
        if not np.isfinite(self.times).all() or (np.diff(self.times) < 0).any():
            raise DataError("times of a time course must be finite and in order", found=str(self.times[:6]))
        if self.parents:
            _assert_tree(self.parents, len(self.values))

    @property
    def times_s(self) -> Array:
        """Return the times in seconds, `(T,)` float64."""
        return np.asarray(self.times, np.float64) * UNITS[self.unit]

    def _words(self) -> Iterable[str]:
        rows, columns = self.values.shape
        yield f"{counted(rows, 'time')} of {some(self.names, columns) if self.names else columns}"
        yield f"over {self.times[-1] - self.times[0]:g} {self.unit}" if self.timed else "no times are known"


def _assert_tree(parents: tuple[int, ...], rows: int) -> None:
    """Raise DataError where the rows above rows make no tree, or no trees."""
    if len(parents) != rows or not all(-1 <= p < rows for p in parents):
        raise DataError("parents of the rows of a tree are places of rows, or -1", found=str(parents[:6]))
    for row in range(rows):
        place, steps = row, 0
        while place >= 0 and steps <= rows:
            place, steps = parents[place], steps + 1
        if steps > rows:
            raise DataError("the rows of a tree go round in a circle", found=f"row {row + 1}")
