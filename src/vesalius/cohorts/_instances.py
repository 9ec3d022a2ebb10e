"""Masks of ids on disk: which files are such, and the table `instances.csv` beside them with the label of each id."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from vesalius import formats
from vesalius.cohorts._table_io import read_table
from vesalius.core.case import Case, InstanceMask, Ref
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.words import counted

TABLE = "instances.csv"
ALONE = "instance"  # the label of all things where nothing gives them one
FEWEST_IDS = 10  # different values in all masks, from which they may be ids
PREFIXES = 0.5  # share of masks that hold 1 to n without a gap, from which on they may be ids
_CASE = ("case", "image", "file", "case_id", "image_id", "filename")
_ID = ("id", "instance", "instance_id", "value")
_SURE = ("p", "score", "probability", "confidence")
_LABEL = ("label", "class", "category", "name", "type", "sort")


def table_beside(path: Path) -> Path | None:
    """Return the `instances.csv` of a mask: in its folder or in the one above; None where there is none."""
    for folder in (path.parent, path.parent.parent):
        if (folder / TABLE).is_file():
            return folder / TABLE
    return None


def mask_of(ref: Ref, *, label: str = ALONE) -> InstanceMask:
    """Return a file of ids with the labels that the table beside it gives them; without a table all have `label`.

    Raises DataError for a table that cannot be used.
    """
    table = table_beside(ref.paths[0])
    if table is None:
        return InstanceMask(ref, otherwise=label)
    rows = _rows(table, table.stat().st_mtime_ns)
    path = ref.paths[0]
    ways = (formats.stem(path), path.name, path.relative_to(table.parent).as_posix())
    own = next((rows[w] for w in ways if w in rows), {})
    return InstanceMask(ref, {number: label for number, (label, _) in own.items()})


def with_instances(cohort: Cohort, base: Path) -> Cohort:
    """Return the cohort with the masks of ids that lie beside its images, in folders that have an `instances.csv`.

    A file is named as its case is, or as its case's image. The target is called as the folder.
    """
    if not base.is_dir():
        return cohort
    for folder in sorted(p for p in base.iterdir() if (p / TABLE).is_file() and p.name not in cohort.targets):
        files = {formats.stem(p): p for p in sorted(folder.iterdir()) if p.is_file() and p.name != TABLE}
        cases = [_with_mask(case, folder.name, files) for case in cohort.cases]
        held = sum(folder.name in case.targets for case in cases)
        if held:
            info = TargetInfo(
                folder.name, "instances", (), f"{counted(held, 'mask')} of ids in '{folder.name}'"
            )
            targets = {**cohort.targets, folder.name: info}
            cohort = replace(cohort, cases=tuple(cases), targets=targets)
    return cohort


def _with_mask(case: Case, target: str, files: Mapping[str, Path]) -> Case:
    image = case.image
    own = [formats.stem(p) for p in image.paths] if isinstance(image, Ref) and len(image.paths) == 1 else []
    for name in (*own, case.id, case.id.rpartition("/")[2]):
        if name in files and files[name] not in (image.paths if isinstance(image, Ref) else ()):
            return replace(case, targets={**case.targets, target: mask_of(Ref((files[name],)))})
    return case


def table_of_instances(path: Path, case: str = "") -> Mapping[int, tuple[str, float]]:
    """Return label and probability of each id of another tool's mask of a case; none where no table says them.

    The table is `NAME.instances.csv` beside the file, or `instances.csv` in its folder or above. Raises DataError.
    """
    own = path.with_name(f"{formats.stem(path)}.{TABLE}")
    table = own if own.is_file() else table_beside(path)
    if table is None:
        return {}
    rows = _rows(table, table.stat().st_mtime_ns)
    if table == own and len(rows) == 1:  # whatever it calls the case
        return next(iter(rows.values()))
    return next((rows[way] for way in (case, formats.stem(path), path.name) if way in rows), {})


def _share(text: str | None, path: Path, row: int) -> float:
    try:
        found = float(text or "")
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise DataError(f"{path}: row {row}: a probability lies between 0 and 1", found=str(text))
    return found


@functools.lru_cache(maxsize=16)
def _rows(path: Path, written: int) -> Mapping[str, Mapping[int, tuple[str, float]]]:
    """Return label and probability of each id, by case; a row with a case alone says that nothing is in it.

    Raises DataError.
    """
    table = read_table(path)
    case, number, label = (_column(table, names, path) for names in (_CASE, _ID, _LABEL))
    sure = next((c for c in table if c.strip().casefold() in _SURE), None)
    found: dict[str, dict[int, tuple[str, float]]] = {}
    for k, (name, text, said) in enumerate(zip(table[case], table[number], table[label], strict=True)):
        row = k + 2
        if name is not None and text is None and said is None:
            found.setdefault(name, {})
            continue
        if name is None or text is None or said is None:
            raise DataError(f"{path}: row {row} lacks a case, an id or a label")
        if not text.isdecimal() or int(text) < 1:
            raise DataError(f"{path}: row {row}: ids are whole numbers from 1 on", found=text)
        own = found.setdefault(name, {})
        p = 1.0 if sure is None else _share(table[sure][k], path, row)
        before, _ = own.setdefault(int(text), (said, p))
        if before != said:
            raise DataError(
                f"{path}: row {row}: id {text} of case {name} has two labels", found=f"{before}, {said}"
            )
    return found


def _column(table: Mapping[str, Sequence[str | None]], names: Sequence[str], path: Path) -> str:
    plain = {c.strip().casefold(): c for c in table}
    for name in names:
        if name in plain:
            return plain[name]
    raise DataError(f"{path}: no column {names[0]}", found=", ".join(table), hint="columns case, id, label")


def looks_like_ids(values: Sequence[set[int]]) -> bool:
    """Return whether the values of each mask, without the background, are rather ids of things than labels.

    Ids count from 1 in each mask and end at different numbers; or there are many, and those of one mask say little of
    another's.
    """
    held = [v for v in values if v]
    every = set().union(*held) if held else set()
    if len(held) < 2 or len(every) <= FEWEST_IDS or min(every) < 1:
        return False
    whole = [v for v in held if max(v) == len(v)]
    if len(whole) >= PREFIXES * len(held) and len({len(v) for v in whole}) > 1:
        return True
    alike = [len(a & b) / len(a | b) for a, b in pairwise(held)]
    return len(every) > 100 and float(np.mean(alike)) < 0.5
