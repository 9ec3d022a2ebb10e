"""What a cohort brings beside one picture a case, in numbers: frames, earlier visits, time courses, images apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimePrint:
    """Images with a time axis: in how many `cases`, how many `frames` (median, and most), and their median interval.

    `interval_s` is in seconds between two frames, None where no image says how far its frames lie apart.
    """

    cases: int
    frames: int
    frames_max: int
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class VisitPrint:
    """Earlier visits: how many `cases` have some, how many a case has (median, and most), and how far apart they are.

    `median` and `most` count earlier visits alone, so that a case without any counts 0. `days` is the median number of
    days from a visit to the next of the same patient.
    """

    cases: int
    median: float
    most: int
    days: float


@dataclass(frozen=True, slots=True)
class CoursePrint:
    """Time courses of one name: in how many `cases`, the `columns` of one, and its `length` in rows (median, and most).

    `names` are those of the columns, empty where nobody says them. `interval_s` is the median time from a row to the
    next, None where no times are known. `missing` is the share of cells that hold no number. `tree` says that the rows
    are the nodes of trees.
    """

    cases: int
    columns: int
    length: int
    length_max: int
    names: tuple[str, ...] = ()
    interval_s: float | None = None
    missing: float = 0.0
    tree: bool = False


@dataclass(frozen=True, slots=True)
class ApartPrint:
    """An image that is not a channel of the reference's grid, or that some cases lack.

    `cases` is how many have it, `shape` its median shape `(Z, Y, X)` and `shape_max` its largest sides in canonical
    axes, `channels` how many channels it has at most, `grey` whether it is grey in all cases. `own_grid` says that its
    grid or its channels are others than the reference's in some case; otherwise it is only missing in some.
    """

    cases: int
    shape: tuple[int, int, int]
    shape_max: tuple[int, int, int]
    channels: int = 1
    grey: bool = True
    own_grid: bool = True
