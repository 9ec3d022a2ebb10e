"""Which of the tables in a folder is that of the cases, and which are of things in them, such as boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._build import as_split
from vesalius.cohorts._courses import names_courses
from vesalius.cohorts._index import Index
from vesalius.cohorts._layout import Options
from vesalius.cohorts._roles import Roles, infer
from vesalius.cohorts._table_io import read_table
from vesalius.cohorts._words import plain
from vesalius.cohorts.targets import contract as kinds
from vesalius.cohorts.targets.contract import Find, OwnTable, TargetKind
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort
from vesalius.core.delimited import Table
from vesalius.core.errors import DataError

Own = list[tuple[TargetKind, OwnTable]]


def tables_of(base: Path, index: Index, options: Options) -> tuple[Table, str, Own]:
    """Return the table of the cases, what it is called, and the tables of things in them.

    Tables called train, val and test are put together. Where there are tables of things alone, the first of them is
    that of the cases too, without its columns of things. Raises DataError where there is no table, or several would do.
    """
    paths = own_tables(base, index)
    if not paths:
        raise DataError(f"no table in {base}", hint="a CSV, TSV, XLSX or Parquet file")
    tables = {path: read_table(path) for path in paths}
    own = _own(tables, options)
    rest = {p: t for p, t in tables.items() if all(p not in one.paths for _, one in own)}
    if own and not any(_has_images(t, index, options) for t in rest.values()):
        kind, one = max(own, key=lambda pair: bool(_has_images(_cases(*pair), index, options)))
        return _cases(kind, one), one.name, own
    table, source = _of_cases(base, rest, index, options)
    return table, source, own


def own_tables(base: Path, index: Index) -> tuple[Path, ...]:
    """Return the tables directly in a folder, without those that another of them names as files of time courses.

    Where there are many, those without a number in their names are looked at first.
    """
    paths = _files.find_tables(base)
    if len(paths) < 2:
        return paths
    named: set[Path] = set()
    for path in sorted(paths, key=lambda p: (any(ch.isdigit() for ch in p.stem), p.name)):
        if path in named:
            continue
        try:
            table = read_table(path)
        except DataError:
            continue  # who reads it says what is wrong
        for cells in table.values():
            if names_courses(cells):
                held = dict.fromkeys(c for c in cells if c is not None)
                named |= {index.find_course(c).paths[0] for c in held if index.has_course(c)} - {path}
    return tuple(p for p in paths if p not in named)


def _own(tables: Mapping[Path, Table], options: Options) -> Own:
    """Return the tables of things; those of one kind that are called train, val and test are one."""
    found: Own = []
    for kind in kinds.with_own_tables():
        text = next(
            (
                options.columns[role]
                for role, k in kinds.hows().items()
                if k is kind and role in options.columns
            ),
            "",
        )
        here = {p: t for p, t in tables.items() if kind.in_own_table(p, t, text)}
        here = {p: t for p, t in here.items() if all(p not in one.paths for _, one in found)}
        if len(here) > 1 and all(_split_of(p) for p in here):
            found.append((kind, OwnTable(tuple(here), _joined(here), text)))
        else:
            found += [(kind, OwnTable((p,), t, text)) for p, t in here.items()]
    return found


def _cases(kind: TargetKind, own: OwnTable) -> Table:
    """Return a table of things without the columns that speak of these."""
    out = set(kind.of_things(own.table, own.text))
    return {name: list(cells) for name, cells in own.table.items() if name not in out}


def _has_images(table: Table, index: Index, options: Options) -> bool:
    if options.imageless:
        return True
    told = {role: text for role, text in options.columns.items() if text in table}
    return bool(table) and _leads(infer(plain(table, options), index, Options(columns=told)))


def _leads(roles: Roles) -> bool:
    """Return whether some column names files of images, or of time courses."""
    return bool(roles.all("image") or roles.all("course"))


def _of_cases(base: Path, tables: Mapping[Path, Table], index: Index, options: Options) -> tuple[Table, str]:
    if len(tables) == 1:
        path, table = next(iter(tables.items()))
        return table, path.name
    if all(_split_of(p) for p in tables):
        return _joined(tables), ", ".join(p.name for p in tables)
    fitting = [
        (p, t)
        for p, t in tables.items()
        if options.imageless or _leads(infer(plain(t, options), index, options))
    ]
    if len(fitting) > 1:
        once = [(p, t) for p, t in fitting if _names_once(t, index, options)]
        fitting = once if len(once) == 1 else fitting  # of the others a row is a thing in an image
    if not fitting:  # nothing names images: it is the one of reports
        fitting = [
            (p, t) for p, t in tables.items() if infer(plain(t, options), index, options).all("report")
        ]
    if len(fitting) != 1:
        names = ", ".join(p.name for p in ([p for p, _ in fitting] or tables))
        raise DataError(
            f"several tables in {base} could be the cohort's", found=names, hint="give the table's path"
        )
    return fitting[0][1], fitting[0][0].name


def _names_once(table: Table, index: Index, options: Options) -> bool:
    """Return whether no two rows of a table name the same images."""
    columns = infer(plain(table, options), index, options).all("image")
    rows = list(zip(*(table[c] for c in columns), strict=True))
    return bool(columns) and len(set(rows)) == len(rows)


def _split_of(path: Path) -> str | None:
    """Return the split that a table is of, by the last word of its name."""
    return as_split(path.stem.rsplit("_", 1)[-1])


def _joined(tables: Mapping[Path, Table]) -> Table:
    """Return the rows of several tables one after the other, with a column of their splits where there is none."""
    joined: Table = {}
    height = 0
    for path, table in tables.items():
        part = dict(table)
        size = len(next(iter(part.values())))
        part.setdefault("split", [_split_of(path)] * size)
        for column in {**joined, **part}:
            before = joined.setdefault(column, [None] * height)
            before += part.get(column, [None] * size)
        height += size
    return joined


def with_pictures_beside(cohort: Cohort) -> Cohort:
    """Return the cohort with the pictures beside its own that no row names, as further cases."""
    own = {path for c in cohort.cases for path in (c.image.paths if isinstance(c.image, Ref) else ())}
    taken = {c.id for c in cohort.cases} | {a.case for a in cohort.set_aside}
    more = []
    for folder in sorted({path.parent for path in own}):
        for path in _files.images(sorted(folder.iterdir(), key=lambda p: _files.natural(p.name))):
            name = formats.stem(path)
            if path.is_file() and path not in own and name not in taken and not _files.is_dicom(path):
                taken.add(name)
                more.append(Case(id=name, images={"image": Ref((path,))}))
    return cohort if not more else replace(cohort, cases=(*cohort.cases, *more))


def cases_by_name(cohort: Cohort, index: Index) -> Find:
    """Return what leads from a cell of a table to a case: its id, or a name of the image that answers are about."""
    ids = {c.id.casefold(): c.id for c in cohort.cases}
    paths = {path: c.id for c in cohort.cases for path in (c.image.paths if isinstance(c.image, Ref) else ())}
    known: dict[str, str | None] = {}

    def find(cell: str) -> str | None:
        if cell not in known:
            known[cell] = ids.get(cell.strip().casefold()) or _by_image(cell)
        return known[cell]

    def _by_image(cell: str) -> str | None:
        try:
            refs: Sequence[Ref] = list(index.find(cell).values())
        except DataError:
            return None
        found = {paths.get(ref.paths[0]) for ref in refs}
        return found.pop() if len(found) == 1 else None

    return find
