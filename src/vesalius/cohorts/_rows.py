"""The rows of a table as cases: which rows are one case, and which of its images each of them names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vesalius import formats
from vesalius.cohorts._build import some
from vesalius.cohorts._files import natural
from vesalius.cohorts._roles import TOLD, Roles, distinct
from vesalius.cohorts._views import by_columns, by_file_names, told_apart
from vesalius.cohorts._visits import CALLED
from vesalius.core import course_io
from vesalius.core.delimited import Table
from vesalius.core.errors import DataError
from vesalius.core.words import counted


@dataclass(frozen=True)
class Slots:
    """What each case's images are called, with the cell that names each; and why some cases have none.

    `expected` are those that at least half of the cases have, or all where none is so common; none where no case lacks
    one.
    """

    images: Mapping[str, Mapping[str, str]]
    faults: Mapping[str, str] = field(default_factory=dict)
    expected: tuple[str, ...] = ()


def rows_of_cases(table: Table, roles: Roles) -> dict[str, list[int]]:
    """Return the row numbers by case name: from the id column if there is one, otherwise from the images.

    Without an id column, rows that name the same images, and are of one visit, are one case; without images each row is
    one, which is called as its time course, or as its patient (and visit) where each has a row of its own.
    """
    column = roles.first("id")
    height = len(next(iter(table.values())))
    own: list[str | None] = [None] * height
    if column is None and not roles.all("image"):
        patients = table.get(roles.first("patient") or "", [])
        if patients and None not in patients and len(set(patients)) == len(patients):
            column = roles.first("patient")
        elif patients and (visit := roles.first("visit")) is not None:
            pairs = [
                None if None in (p, v) else f"{p}_{v}" for p, v in zip(patients, table[visit], strict=True)
            ]
            own = [p if pairs.count(p) == 1 else None for p in pairs]
    cells = [_cells(table, roles, k) for k in range(height)]
    first = [next(iter(c), None) for c in cells]
    if column is None and roles.all("course"):
        first = [c or _course(table, roles, k) for k, c in enumerate(first)]
        own = [None if c is not None else o for c, o in zip(first, own, strict=True)]
    stems = [_stem(c) if c else o or f"row {k + 2}" for k, (c, o) in enumerate(zip(first, own, strict=True))]
    if roles.all("visit") and column is None:  # one image on two days is two visits
        cells = [[*c, str(table[roles.all("visit")[0]][k])] if c else c for k, c in enumerate(cells)]
    if column is None:
        unique = len(set(stems)) == len({tuple(c) or k for k, c in enumerate(cells)})
        names = [s if unique or first[k] is None else str(first[k]) for k, s in enumerate(stems)]
    else:
        names = [table[column][k] or stems[k] for k in range(height)]
    groups: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        key = name.replace("/", "_").replace("\\", "_")  # ids name output files
        if column is None and key in groups and cells[groups[key][0]] != cells[k]:
            key = f"{name} (row {k + 2})"
        groups.setdefault(key, []).append(k)
    return groups


def slots(
    table: Table,
    roles: Roles,
    groups: Mapping[str, Sequence[int]],
    notes: list[str],
    *,
    unordered: bool = False,
) -> Slots:
    """Return what the images of each case are called: by column, and by view where a case has several rows.

    Where they are `unordered` they are `view#1`, `view#2` … of their case. A case that lacks an image which others have
    is kept; images that fewer than half of the cases have are left out, unless a person named their columns. Raises
    DataError where nothing tells the images of a case apart.
    """
    if unordered:
        return _numbered(table, roles, groups, notes)
    views, faults = _views(table, roles, groups, notes)
    columns = _short_names(roles.all("image"))
    named: dict[str, dict[str, str]] = {}
    for case, rows in groups.items():
        held: dict[str, str] = {}
        for row in rows:
            for column, base in columns.items():
                cell = table[column][row]
                if cell is None:
                    continue
                view = views.get(row)
                key = base if view is None else view if len(columns) == 1 else f"{base}_{view}"
                held.setdefault(key, cell)
        named[case] = held
    return _complete(named, faults, roles, notes, ordered=not views)


def _numbered(table: Table, roles: Roles, groups: Mapping[str, Sequence[int]], notes: list[str]) -> Slots:
    """Return the different images of each case by a role and a number, in the order of its rows, which says nothing."""
    columns = _short_names(roles.all("image"))
    named: dict[str, dict[str, str]] = {}
    most = 0
    for case, rows in groups.items():
        held: dict[str, str] = {}
        for column, base in columns.items():
            cells = list(dict.fromkeys(c for k in rows if (c := table[column][k]) is not None))
            role = "view" if len(columns) == 1 else base
            held |= {f"{role}#{n}": cell for n, cell in enumerate(cells, 1)}
            most = max(most, len(cells))
        named[case] = held
    notes.append(f"the images of a case have no order, as told: {counted(most, 'image')} at most")
    return Slots(named)


def contradiction(
    table: Table, roles: Roles, rows: Sequence[int], column: str, found: Sequence[str]
) -> DataError:
    """Return the error of a case whose rows contradict each other."""
    several = len({tuple(_cells(table, roles, k)) for k in rows}) > 1
    return DataError(
        f"its rows contradict each other in '{column}'",
        found=" and ".join(found[:3]),
        hint=_one_each(roles) if several else None,
    )


def of_images(table: Table, columns: Sequence[str], groups: Mapping[str, Sequence[int]]) -> list[str]:
    """Return those columns that describe images and not cases: they differ in half of the cases with several rows, or
    more.
    """
    several = [rows for rows in groups.values() if len(rows) > 1]
    counts = {c: sum(len(distinct([table[c][k] for k in rows])) > 1 for rows in several) for c in columns}
    return [c for c, n in counts.items() if n and 2 * n >= len(several)]


def _views(
    table: Table, roles: Roles, groups: Mapping[str, Sequence[int]], notes: list[str]
) -> tuple[dict[int, str], dict[str, str]]:
    """Return the view of each row, and what is wrong with the cases whose images it does not tell apart."""
    studies = {case: _different(table, roles, rows) for case, rows in groups.items()}
    studies = {case: rows for case, rows in studies.items() if len(rows) > 1}
    columns = roles.all("view")
    told = any(roles.reasons[c].endswith(TOLD) for c in columns)
    if not studies:
        return {}, {}
    way: tuple[str, ...] = ()
    views: dict[int, str] = {}
    if columns:
        way, views = by_columns(table, columns, studies, all_of=told)
    right = {case for case, rows in studies.items() if told_apart(views, rows)}
    if not told and len(right) < len(studies):
        first = {k: c[0] for k in range(len(table[roles.all("image")[0]])) if (c := _cells(table, roles, k))}
        if by_name := by_file_names(first, studies):
            way, views, right = ("the files' names",), by_name, set(studies)
    if 2 * len(right) < len(studies):
        raise _untold(table, roles, studies, columns)
    where = " and ".join(f"'{c}'" if c in table else c for c in way)
    notes.append(f"the images of a case are told apart by {where}: {some(sorted(set(views.values())), 8)}")
    return views, {
        case: _why(views, studies[case], table, roles, where) for case in studies if case not in right
    }


def _why(views: Mapping[int, str], rows: Sequence[int], table: Table, roles: Roles, where: str) -> str:
    seen: dict[str, int] = {}
    for row in rows:
        view = views.get(row)
        if view is None:
            return f"one of its images, {_cells(table, roles, row)[0]}, has no view in {where}"
        if view in seen:
            pair = f"{_cells(table, roles, seen[view])[0]} and {_cells(table, roles, row)[0]}"
            return f"two of its images are both '{view}' by {where}: {pair}"
        seen[view] = row
    return f"its images are not told apart by {where}"


def _untold(
    table: Table, roles: Roles, studies: Mapping[str, Sequence[int]], columns: Sequence[str]
) -> DataError:
    case, rows = next(iter(studies.items()))
    able = [
        c
        for c in table
        if c not in {*roles.all("image"), *roles.all("id"), *roles.all("mask")}
        and all(told_apart({k: table[c][k] or "" for k in r}, r) for r in studies.values())
        and len(distinct(table[c])) <= 20
    ]
    why = (
        f"'{', '.join(columns)}' does not tell them apart" if columns else "no column says which view each is"
    )
    name = next((c for c in able if not CALLED.fullmatch(c.strip())), "NAME")
    day = next((c for c in able if CALLED.fullmatch(c.strip())), None)
    visits = "" if day is None or roles.all("patient") else f"--column visit={day} where these are visits, "
    return DataError(
        f"rows with the same '{roles.first('id')}' name several images, and {why}",
        found=f"'{case}' with {some([_cells(table, roles, k)[0] for k in rows], 3)}",
        hint=f"{visits}--column view={name} for what they differ in, --column view=none for a set without order, or "
        f"{_one_each(roles)}",
    )


def _one_each(roles: Roles) -> str:
    image = roles.all("image")[0]
    return f"--column image={image} --column id={image} for a case an image"


def _complete(
    named: dict[str, dict[str, str]],
    faults: dict[str, str],
    roles: Roles,
    notes: list[str],
    *,
    ordered: bool,
) -> Slots:
    """Return the images that are kept, in one order; what some cases lack is noted.

    `ordered` keeps the table's order of columns; views have the order of their names, as rows may stand in any.
    """
    sound = {case: held for case, held in named.items() if case not in faults and held}
    counts = Counter(name for held in sound.values() for name in held)
    told = any(roles.reasons[c].endswith(TOLD) for c in roles.all("view" if not ordered else "image"))
    expected = sorted((n for n, k in counts.items() if told or 2 * k >= len(sound)), key=natural)
    if sound and not expected:
        raise DataError(
            "the cases have no view in common",
            found=", ".join(f"'{n}' in {k} of {len(sound)}" for n, k in counts.most_common(4)),
            hint=_one_each(roles),
        )
    if counts.keys() == {"image"} or not counts:
        return Slots(named, faults)
    if ordered:
        expected.sort(key=list(_short_names(roles.all("image")).values()).index)
    for name, count in counts.items():
        if name not in expected:
            notes.append(f"'{name}' is in {count} of {len(sound)} cases only: these images are left out")
    for name in expected:
        lacking = [case for case, held in sound.items() if name not in held]
        if lacking:
            verb = "lacks" if len(lacking) == 1 else "lack"
            notes.append(
                f"{len(lacking)} of {counted(len(sound), 'case')} {verb} the image '{name}' ({some(lacking)}): kept "
                "for tasks that can do without, set aside by the others"
            )
    usual = tuple(n for n in expected if 2 * counts[n] >= len(sound))
    complete = all(name in held for held in sound.values() for name in expected)
    usual = () if complete else tuple(n for n in expected if 2 * counts[n] >= len(sound)) or tuple(expected)
    kept = {c: {n: held[n] for n in expected if n in held} for c, held in named.items()}
    return Slots(kept, faults, usual)


def _short_names(columns: Sequence[str]) -> dict[str, str]:
    """Return what the images of several columns are called: the columns' names without a word for images in front."""
    if len(columns) == 1:
        return {columns[0]: "image"}
    short = {c: _short(c) for c in columns}
    return short if len(set(short.values())) == len(short) else {c: c for c in columns}


def _short(column: str) -> str:
    for prefix in ("image", "img", "file", "path", "scan"):
        if column.casefold().startswith(prefix) and len(column) > len(prefix) + 1:
            return column[len(prefix) :].lstrip(" _.-") or column
    return column


def _different(table: Table, roles: Roles, rows: Sequence[int]) -> list[int]:
    """Return the first row of each different image."""
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        if cells := tuple(_cells(table, roles, row)):
            seen.setdefault(cells, row)
    return list(seen.values())


def _course(table: Table, roles: Roles, row: int) -> str | None:
    """Return the file of a row's first time course, where each row has its own."""
    for column in roles.all("course"):
        cells = [c for c in table[column] if c is not None]
        if len(set(cells)) == len(cells):
            return table[column][row]
    return None


def _stem(cell: str) -> str:
    path = Path(cell.replace("\\", "/"))
    return path.stem if course_io.is_course(path) else formats.stem(path)


def _cells(table: Table, roles: Roles, row: int) -> list[str]:
    return [c for column in roles.all("image") if (c := table[column][row]) is not None]
