"""A table whose rows are cases: CSV, TSV, XLSX or Parquet, naming images, masks, labels, patients, times, events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._build import as_split, class_labels
from vesalius.cohorts._dataset_json import channel_names, labels_of, load, target_info
from vesalius.cohorts._index import Index
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._roles import Roles, distinct, infer, is_list, is_number, parts
from vesalius.cohorts._several import NO, YES, together
from vesalius.cohorts._table_io import Table, read_table
from vesalius.core.case import Case, Event, Ref, Split, Target
from vesalius.core.cohort import Cohort, SetAside, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image

_DAYS = {"month": 30.4375, "week": 7.0, "year": 365.25}


def detect(root: Path) -> Detection | None:
    """A table of which a column names image files below its folder."""
    if root.is_file() and root.suffix.lower() not in _files.TABLE_SUFFIXES:
        return None
    base = root if root.is_file() else _files.unwrap(root)
    tables = _files.find_tables(base)
    if not tables:
        return None
    index = Index.of(base if base.is_dir() else base.parent)
    best: Detection | None = (
        Detection(0.6, "a table, though no column names images") if root.is_file() else None
    )
    for path in tables:
        try:
            roles = infer(read_table(path), index, Options())
        except DataError:
            continue
        image = roles.first("image")
        if image is None:
            continue
        learn = [c for role in ("label", "value", "mask", "time") for c in roles.all(role)]
        text = f"'{image}' in {path.name} names images"
        seen = Detection(0.94, f"{text}, {', '.join(map(repr, learn[:3]))} what to learn")
        if not learn:
            seen = Detection(0.5, text)
        if best is None or seen.confidence > best.confidence:
            best = seen
    return best


def read(root: Path, *, options: Options) -> Cohort:
    """A case a row, or the rows with the same case id; files are looked for below the table's folder.

    Tables called train, val and test are put together. Raises DataError where no column names images or several
    tables would do, UnknownName for a column that is not there.
    """
    base = root if root.is_file() else _files.unwrap(root)
    index = Index.of(base if base.is_dir() else base.parent)
    table, source = _load(base, index, options)
    roles = infer(table, index, options)
    if not roles.all("image"):
        raise DataError(
            f"no column of {source} names image files",
            found=f"columns {', '.join(list(table)[:8])}",
            hint="--column image=NAME, with file names as they lie beside the table",
        )
    notes = [f"{source}: {column} is {reason}" for column, reason in roles.reasons.items()]
    table, joined = together(table, roles, options, notes)
    infos = _infos(table, roles, notes, joined) | _named_masks(index.root, roles, notes)
    groups = _rows_of_cases(table, roles)
    paths: dict[str, str] = {}
    cases: list[Case] = []
    aside: list[SetAside] = []
    for name, rows in groups.items():
        try:
            case = _case(name, rows, table, roles, index, infos)
        except DataError as error:
            aside.append(SetAside(name, str(error)))
            continue
        if case.id in paths:
            aside.append(SetAside(case.id, f"in {source} twice"))
            continue
        paths[case.id] = name
        cases.append(case)
    if not cases and aside:
        raise DataError(
            f"no row of {source} leads to an image", found=f"'{aside[0].case}': {aside[0].reason}"
        )
    return Cohort(
        root=root,
        layout="table",
        cases=tuple(cases),
        targets=infos,
        set_aside=tuple(aside),
        notes=tuple(notes),
        modalities=channel_names(load(index.root / "dataset.json", strict=False) or {}),
    )


def _load(base: Path, index: Index, options: Options) -> tuple[Table, str]:
    tables = _files.find_tables(base)
    if not tables:
        raise DataError(f"no table in {base}", hint="a CSV, TSV, XLSX or Parquet file")
    if len(tables) == 1:
        return read_table(tables[0]), tables[0].name
    named = {p: as_split(p.stem.rsplit("_", 1)[-1]) for p in tables}
    if all(named.values()):
        joined: Table = {}
        height = 0
        for path, split in named.items():
            part = read_table(path)
            size = len(next(iter(part.values())))
            part.setdefault("split", [split] * size)
            for column in {**joined, **part}:
                before = joined.setdefault(column, [None] * height)
                before += part.get(column, [None] * size)
            height += size
        return joined, ", ".join(p.name for p in tables)
    fitting = [(p, t) for p in tables for t in [read_table(p)] if infer(t, index, options).all("image")]
    if len(fitting) != 1:
        names = ", ".join(p.name for p in ([p for p, _ in fitting] or tables))
        raise DataError(f"several tables in {base} could be meant", found=names, hint="give the table's path")
    return fitting[0][1], fitting[0][0].name


def _rows_of_cases(table: Table, roles: Roles) -> dict[str, list[int]]:
    """Row numbers by case name: from the id column if there is one, otherwise from the image's name."""
    column = roles.first("id")
    height = len(next(iter(table.values())))
    images = table[roles.all("image")[0]]
    stems = [formats.stem(Path(c)) if c else f"row {k + 2}" for k, c in enumerate(images)]
    if column is None:
        unique = len(set(stems)) == height
        names = [s if unique or not images[k] else str(images[k]) for k, s in enumerate(stems)]
    else:
        names = [table[column][k] or stems[k] for k in range(height)]
    groups: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        key = name.replace("/", "_").replace("\\", "_")  # ids name output files
        if column is None and key in groups:
            key = f"{name} (row {k + 2})"
        groups.setdefault(key, []).append(k)
    return groups


def _case(
    name: str, rows: list[int], table: Table, roles: Roles, index: Index, infos: Mapping[str, TargetInfo]
) -> Case:
    images = _images(rows, table, roles, index)
    targets: dict[str, Target] = {}
    for info in infos.values():
        value = _target(info, rows, table, roles, index)
        if value is not None:
            targets[info.name] = value
    covariates: dict[str, float | str | None] = {}
    for column in roles.all("covariate"):
        cell = _one(rows, table, column)
        covariates[column] = float(cell) if cell is not None and is_number(table[column]) else cell
    split: Split | None = None
    if (word := _one(rows, table, roles.first("split"))) is not None:
        split = as_split(word)
    patient = _one(rows, table, roles.first("patient"))
    report = "\n".join(c for column in roles.all("report") if (c := _one(rows, table, column))) or None
    field_of_view = _one(rows, table, roles.first("region"))
    inside = index.find(field_of_view).get("") if field_of_view else None
    return Case(
        id=name,
        images=images,
        reference=next(iter(images)),
        patient=patient,
        targets=targets,
        covariates=covariates,
        report=report,
        region=inside,
        split=split,
    )


def _images(rows: list[int], table: Table, roles: Roles, index: Index) -> dict[str, Ref | Image]:
    columns = roles.all("image")
    found: dict[str, Ref | Image] = {}
    for n, row in enumerate(rows):
        for column in columns:
            cell = table[column][row]
            if cell is None:
                continue
            refs = index.find(cell)
            if not refs:
                raise DataError(f"no image for '{cell}'", found=f"nothing of that name below {index.root}")
            base = "image" if len(columns) == 1 else _short(column)
            base = base if len(rows) == 1 else f"{base}_{n + 1}"
            for extra, ref in refs.items():
                found[extra or base] = ref
    if not found:
        raise DataError(f"no image named in row {rows[0] + 2}")
    return found


def _short(column: str) -> str:
    for prefix in ("image", "img", "file", "path", "scan"):
        if column.casefold().startswith(prefix) and len(column) > len(prefix) + 1:
            return column[len(prefix) :].lstrip(" _.-") or column
    return column


def _target(info: TargetInfo, rows: list[int], table: Table, roles: Roles, index: Index) -> Target | None:
    if info.kind == "event":
        time, event = roles.all("time")[0], roles.all("event")[0]
        days, happened = _one(rows, table, time), _one(rows, table, event)
        if days is None or happened is None:
            return None
        return Event(float(days) * _unit(time), _truth(happened) != ("censor" in event.casefold()))
    cell = _one(rows, table, info.name)
    if cell is None:
        return None
    if info.kind == "mask":
        mask = index.find(cell)
        if "" not in mask:
            raise DataError(f"no mask for '{cell}'", found=f"nothing of that name below {index.root}")
        return mask[""]
    if info.kind == "number":
        return float(cell)
    return parts(cell) if info.kind == "multilabel" else cell


def _infos(table: Table, roles: Roles, notes: list[str], joined: TargetInfo | None) -> dict[str, TargetInfo]:
    infos: dict[str, TargetInfo] = {} if joined is None else {joined.name: joined}
    for column in roles.all("label") if joined is None else ():
        cells = table[column]
        if is_list(cells):
            names = [n for c in distinct(cells) for n in parts(c)]
            infos[column] = TargetInfo(column, "multilabel", class_labels(names), roles.reasons[column])
        else:
            infos[column] = TargetInfo(column, "class", class_labels(distinct(cells)), roles.reasons[column])
    for column in roles.all("value"):
        if not is_number(table[column]):
            raise DataError(f"'{column}' is to be a number", found=f"'{distinct(table[column])[0]}'")
        infos[column] = TargetInfo(column, "number", (), roles.reasons[column])
    for column in roles.all("mask"):
        infos[column] = TargetInfo(column, "mask", (), roles.reasons[column])
    time, event = roles.first("time"), roles.first("event")
    if time is not None and event is not None:
        why = f"time in '{time}', event in '{event}'"
        if _unit(time) == 1.0 and "day" not in time.casefold():
            notes.append(f"'{time}' is taken as days, as its name gives no unit")
        infos["survival"] = TargetInfo("survival", "event", (), why)
    return infos


def _named_masks(folder: Path, roles: Roles, notes: list[str]) -> dict[str, TargetInfo]:
    """The one column of masks with its labels' names, where a dataset.json beside the table has them."""
    columns, data = roles.all("mask"), load(folder / "dataset.json", strict=False)
    names = labels_of(data) if data is not None and len(columns) == 1 else ({}, [])
    if not names[0]:
        return {}
    why = f"{roles.reasons[columns[0]]}; the labels' names are in dataset.json"
    return {columns[0]: replace(target_info(names, why, notes), name=columns[0])}


def _one(rows: list[int], table: Table, column: str | None) -> str | None:
    """The one value of a case in a column. Raises DataError if its rows contradict each other."""
    if column is None:
        return None
    values = distinct([table[column][k] for k in rows])
    if len(values) > 1:
        raise DataError(f"its rows contradict each other in '{column}'", found=" and ".join(values[:3]))
    return values[0] if values else None


def _unit(column: str) -> float:
    return next((days for word, days in _DAYS.items() if word in column.casefold()), 1.0)


def _truth(cell: str) -> bool:
    word = cell.casefold()
    if word in YES or word in NO:
        return word in YES
    raise DataError(f"'{cell}' does not say whether the event happened", hint="0 and 1")
