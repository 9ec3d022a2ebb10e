"""Reading files of time courses: tables with a header and a column of times, trees of rows, arrays (T, F) in npy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from vesalius.core import archive, dates
from vesalius.core.case import Ref
from vesalius.core.course import Course
from vesalius.core.delimited import WORDS, Rows, Table, points, read_rows, with_header, without_header
from vesalius.core.errors import DataError, FormatError
from vesalius.core.file_io import one_file, typed_errors
from vesalius.core.image import Array
from vesalius.core.lapse import SECONDS, unit_in
from vesalius.core.shown import some
from vesalius.core.words import counted

TABLES = (".csv", ".tsv")
ARRAYS = (".npy",)
SUFFIXES = (*TABLES, *ARRAYS)
TRANSPOSED = "transposed"  # the member of a Ref to an array (F, T), which is read as (T, F)
_TIME = {
    "time",
    "times",
    "t",
    "timestamp",
    "elapsed",
    "offset",
    "since",
    "from",
    "after",
    "start",
    "baseline",
}
_TIME |= {"admission", "relative", "rel", "date", "datetime", "sample", "measurement", "visit", "collection"}
_ALONE = {
    "day",
    "days",
    "hour",
    "hours",
    "minute",
    "minutes",
    "second",
    "seconds",
    "sec",
    "ms",
    "week",
    "weeks",
}
_ALONE |= {"month", "months", "year", "years", "time", "times", "t", "timestamp", "elapsed", "offset", "date"}
_ALONE |= {"datetime"}  # words that name a column of times without a further one
_DIGITS = frozenset("0123456789")
_COUNTS = re.compile(r"(id|index|idx|row|nr|no|n|#|sample|frame|unnamed.*|column 1|)", re.I)
_SINGLE = "write the columns of numbers alone, with a header, and one column of times such as time_s"


@dataclass(frozen=True)
class Found:
    """A time course as it was read, and in words what was taken for its times and its columns."""

    course: Course
    said: tuple[str, ...]


def is_course(path: Path) -> bool:
    """Return whether a file's name is that of a table or of an array."""
    return path.name.lower().endswith(SUFFIXES)


def read(ref: Ref) -> Found:
    """Read a file as a time course.

    A table has a header and numbers. A column is that of times by its name (`time_s`, `time_ms`, `days`, `date` …);
    without one the rows stand at 0, 1, 2 … and `timed` is False. Columns `id` and `parent` make a tree of its rows.
    Empty cells, and words for a missing value, are NaN. A column that only counts the rows is left out. Where the first
    line holds numbers it is a row, too, and columns have no names. An array of npy is `(T, F)`, or `(T,)`; one whose
    Ref has the member `transposed` is `(F, T)`.
    Raises FormatError or DataError, naming the file, for words among numbers, times that fall or are missing, infinite
    numbers, and rows above rows that are not there.
    """
    path = one_file(ref)
    if path.suffix.lower() in ARRAYS:
        return _of_array(ref, path)
    if path.suffix.lower() not in TABLES:
        raise FormatError(
            f"{path}: not a file of a time course", found=path.suffix, hint=f"one of {' '.join(SUFFIXES)}"
        )
    try:
        return _of_table(path)
    except FormatError:
        raise
    except DataError as error:
        named = error.what if str(path) in error.what else f"{path}: {error.what}"
        raise FormatError(named, found=error.found, hint=error.hint) from error


def shape_of(ref: Ref) -> tuple[int, ...]:
    """Return the shape of an npy file's array from its header alone. Raises FormatError."""
    path = one_file(ref)
    with typed_errors(ref), archive.open_file(path) as file:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in header:
            raise ValueError(f"npy of version {version}")
        shape, _, _ = header[version](file)
    return tuple(int(n) for n in shape)


def _of_array(ref: Ref, path: Path) -> Found:
    with typed_errors(ref):
        values = np.load(path, allow_pickle=False)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not values.size or values.dtype.kind not in "iufb":
        raise FormatError(
            f"{path}: an array of a time course is (T, F): a row a time, of numbers",
            found=f"shape {values.shape} of {values.dtype}",
        )
    if ref.member == TRANSPOSED:
        values = np.ascontiguousarray(values.T)
    values = values.astype(np.float32 if values.dtype == np.float32 else np.float64)
    _assert_finite(values, path)
    rows, columns = values.shape
    said = f"rows are times: {counted(rows, 'time')} of {counted(columns, 'quantity', 'quantities')}"
    return Found(Course(values), (f"{said}; arrays say no times",))


def _of_table(path: Path) -> Found:
    table, said = _columns(path)
    by_name = {name.strip().casefold(): name for name in table}
    if "parent" in by_name:
        if "id" not in by_name:
            raise DataError("a column 'parent' without a column 'id'", found=some(table, len(table)))
        parents = _parents(table.pop(by_name["id"]), table.pop(by_name["parent"]))
        values, names = _numbers(table)
        return Found(
            _course(path, values, names, parents=parents), (f"a tree of rows: {counted(len(values), 'row')}",)
        )
    column = _times_column(table)
    times: tuple[float, ...] = ()
    unit = "s"
    if column is None:
        said.append("no column is called like times: rows are one step apart")
    else:
        times, unit, words = _times(column, table.pop(column))
        said.append(words)
    for name in [n for n, cells in table.items() if _COUNTS.fullmatch(n.strip()) and _only_counts(cells)]:
        if len(table) > 1:
            del table[name]
            said.append(f"'{name}' only counts the rows and is left out")
    values, names = _numbers(table)
    return Found(_course(path, values, names, times=times, unit=unit), tuple(said))


def _course(
    path: Path,
    values: Array,
    names: tuple[str, ...],
    *,
    times: tuple[float, ...] = (),
    unit: str = "s",
    parents: tuple[int, ...] = (),
) -> Course:
    _assert_finite(values, path)
    if not np.isfinite(values).any():
        raise DataError("no number in any of its cells", found=some(names, len(names)))
    return Course(values, names, times, unit, parents=parents)


def _columns(path: Path) -> tuple[Table, list[str]]:
    """Return a table's cells by column, None where nothing is known, and what was assumed of its first line."""
    rows, separator = read_rows(path)
    headless = _without_names(rows, separator, path)
    cells = points(without_header(rows, path) if headless else with_header(rows, separator, path), separator)
    table = {name: [_cell(c) for c in column] for name, column in cells.items()}
    if not headless:
        return table, []
    said = "the first line holds numbers and is a row: columns are told by their order"
    return {f"column {name}": column for name, column in table.items()}, [said]


def _cell(cell: str | None) -> str | None:
    """Return what a cell says, None for nothing and for words that mean it."""
    text = "" if cell is None else cell.strip()
    return text if text and (text[0] in _DIGITS or text.casefold() not in WORDS) else None


def _without_names(rows: Rows, separator: str, path: Path) -> bool:
    """Return whether the first of some rows is one of numbers. Raises DataError where it may as well be names."""
    if not rows:
        return False
    head = [_number(cell.replace(",", ".") if separator != "," else cell) for cell in rows[0][1]]
    if not head or any(x is None for x in head):
        return False
    numbers = [x for x in head if x is not None]
    steps = {round(b - a, 9) for a, b in pairwise(numbers)}
    if numbers in ([float(k) for k in range(len(numbers))], [float(k + 1) for k in range(len(numbers))]):
        if len(numbers) > 2:
            return False  # 1, 2, 3 … are names
    elif len(numbers) <= 2 or len(steps) > 1:
        return True
    raise DataError(
        f"{path}: nobody can say whether the first line holds names or numbers",
        found=", ".join(rows[0][1][:4]),
        hint="a first line with the columns' names in words",
    )


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _times_column(table: Table) -> str | None:
    """Return the column of times, by its name. Raises DataError where two are called so."""
    found = [name for name in table if _is_called_time(name)]
    if "t" in (n.strip().casefold() for n in found) and len(found) > 1:
        found = [n for n in found if n.strip().casefold() != "t"]
    if len(found) > 1:
        raise DataError(
            "several columns could be the times", found=some(found, len(found)), hint="one column of times"
        )
    return found[0] if found else None


def _is_called_time(name: str) -> bool:
    words = [w.casefold() for w in re.split(r"[^A-Za-z]+", name) if w]
    if not words:
        return False
    if len(words) == 1:
        return words[0] in _ALONE
    unit = unit_in(name)
    rest = words if unit is None else [w for w in words if unit_in(w) is None]
    return any(w in _TIME for w in rest) and all(w in _TIME or w == "to" for w in rest)


def _times(column: str, cells: list[str | None]) -> tuple[tuple[float, ...], str, str]:
    """Return the times, their unit, `s` or `days`, and how they were read. Raises DataError."""
    row = next((k for k, cell in enumerate(cells) if cell is None), None)
    if row is not None:
        raise DataError(f"no time in its column '{column}'", found=f"row {row + 1}")
    held = [c for c in cells if c is not None]
    if dates.are_dates(held):
        days, how = dates.days_of(held, f"the column '{column}'")
        _assert_rising(days, held, column)
        return tuple(days), "days", f"times are the dates in '{column}', {how}"
    numbers = [_number(c) for c in held]
    odd = next((c for c, x in zip(held, numbers, strict=True) if x is None or not np.isfinite(x)), None)
    if odd is not None:
        raise DataError(f"the times in '{column}' are no numbers and no dates", found=f"'{odd}'")
    values = [x for x in numbers if x is not None]
    _assert_rising(values, held, column)
    unit = unit_in(column)
    if unit is None:
        named = (
            f"times are in '{column}', taken as seconds, as its name has no unit (time_ms, time_h, days …)"
        )
        return tuple(values), "s", named
    factor, base = SECONDS[unit], "days" if SECONDS[unit] >= SECONDS["days"] else "s"
    said = f"times are in '{column}', in {unit}"
    return tuple(v * factor / SECONDS[base] for v in values), base, said


def _assert_rising(times: list[float], cells: list[str], column: str) -> None:
    for k, (before, after) in enumerate(pairwise(times)):
        if after < before:
            raise DataError(
                f"the times in '{column}' fall",
                found=f"{cells[k]} and then {cells[k + 1]} in row {k + 2}",
                hint="rows in the order of their times",
            )


def _only_counts(cells: list[str | None]) -> bool:
    numbers = [None if c is None else _number(c) for c in cells]
    return numbers in (list(range(len(cells))), list(range(1, len(cells) + 1)))


def _numbers(table: Table) -> tuple[Array, tuple[str, ...]]:
    """Return the cells as numbers `(T, F)`, NaN where there is none, and the columns' names. Raises DataError."""
    if not table:
        raise DataError("no column of numbers beside the times", hint=_SINGLE)
    columns = []
    for name, cells in table.items():
        try:
            columns.append([float("nan") if c is None else float(c) for c in cells])
        except ValueError:
            row = next(k for k, c in enumerate(cells) if c is not None and _number(c) is None)
            raise DataError(
                f"its column '{name}' holds words", found=f"'{cells[row]}' in row {row + 1}", hint=_SINGLE
            ) from None
    ordered = all(re.fullmatch(r"column \d+", name) for name in table)
    return np.array(columns, np.float64).T, () if ordered else tuple(n.strip() for n in table)


def _assert_finite(values: Array, path: Path) -> None:
    if np.isinf(values).any():
        row, column = (int(k) for k in np.argwhere(np.isinf(values))[0])
        raise FormatError(f"{path}: an infinite number", found=f"row {row + 1}, column {column + 1}")


def _parents(ids: list[str | None], above: list[str | None]) -> tuple[int, ...]:
    """Return the place of the row above each row, -1 of a root. Raises DataError."""
    places: dict[str, int] = {}
    for k, name in enumerate(ids):
        if name is None:
            raise DataError("a row of a tree without an id", found=f"row {k + 1}")
        if name in places:
            raise DataError("two rows of a tree have one id", found=f"'{name}'")
        places[name] = k
    found = []
    for name in above:
        if name is None or (name not in places and name in ("-1", "root", "-")):
            found.append(-1)
        elif name not in places:
            raise DataError(
                "the row above a row is not there", found=f"'{name}'", hint=f"one of {some(places, 4)}"
            )
        else:
            found.append(places[name])
    return tuple(found)
