"""Tables of features beside a cohort: `--column features=TABLE` brings them to its cases as covariates, by case id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from vesalius.cohorts._build import some
from vesalius.cohorts._layout import FEATURES
from vesalius.cohorts._table_io import read_cells
from vesalius.core.cohort import Cohort
from vesalius.core.delimited import Table
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.feature_table import BESIDE, CASE, LABEL, LEARNED, UNKNOWN, YES, record_of
from vesalius.core.words import counted

Values = dict[str, dict[str, float | None]]  # by case, by name


def with_features(cohort: Cohort, text: str) -> Cohort:
    """Return a cohort whose cases have the features of some tables among their covariates.

    `text` is what was said of the role: `TABLE`, or `TABLE:NAME` for the features of that name or pattern
    (`*_firstorder_*`), several parted by commas. Where a table has several labels a case, a feature is called
    `LABEL FEATURE`. Cases whose rows were made by a bundle that learned from them with a target are in `learned`.

    Raises DataError for a table without the column `case`, of none of these cases, or with a row twice; UnknownName for
    features that are not there.
    """
    tables: dict[Path, list[str]] = {}
    for part in (p.strip() for p in text.split(",") if p.strip()):
        path, _, pattern = (part, "", "*") if Path(part).is_file() else part.rpartition(":")
        tables.setdefault(Path(path or part), []).append(pattern)
    for table, patterns in tables.items():
        cohort = _joined(cohort, table, patterns)
    return cohort


def _joined(cohort: Cohort, path: Path, patterns: list[str]) -> Cohort:
    """Return the cohort with one table's features."""
    table, record = read_cells(path), _record(path)
    if CASE not in table:
        raise DataError(
            f"{path} has no column '{CASE}', by which features find their case",
            found=f"columns {', '.join(list(table)[:6])}",
            hint="a table that `vesalius features` wrote",
        )
    names, left = _numbers(table)
    wanted = [n for n in names if any(fnmatchcase(n, pattern) for pattern in patterns)]
    for pattern in patterns:
        if not any(fnmatchcase(n, pattern) for n in names):
            raise UnknownName(f"feature in {path}", pattern, names)
    values, columns = _by_case(table, wanted, path)
    ids = {c.id for c in cohort.cases}
    found = ids & values.keys()
    if not found:
        raise DataError(
            f"{path} holds features of none of these cases",
            found=f"cases {some(list(values), 3)} there, and {some(sorted(ids), 3)} here",
            hint="features of this cohort, read in the same layout",
        )
    taken = {n for c in cohort.cases for n in c.covariates} | set(cohort.targets)
    if twice := [n for n in columns if n in taken]:
        raise DataError(
            f"'{twice[0]}' of {path} is a column of the cohort, too", hint="--column features=TABLE:NAME"
        )
    none = dict.fromkeys(columns)
    cases = tuple(
        replace(c, covariates={**c.covariates, **none, **values.get(c.id, {})}) for c in cohort.cases
    )
    some_of = f"of {len(found)} of {counted(len(ids), 'case')}"
    notes = [f"{FEATURES}: {counted(len(columns), 'covariate')} of {path.name}, {some_of}"]
    if left:
        notes.append(f"{path.name}: not used, as they hold no numbers: {some(left)}")
    learned, said = _learned(table, record, ids)
    return replace(
        cohort,
        cases=cases,
        covariates=(*cohort.covariates, *columns),
        learned=cohort.learned | learned,
        notes=(*cohort.notes, *notes, *(f"{path.name}: {text}" for text in said)),
    )


def _numbers(table: Table) -> tuple[list[str], list[str]]:
    """Return the columns that hold numbers, and those that hold something else; those beside features are neither."""
    numbers: list[str] = []
    left: list[str] = []
    for name, cells in table.items():
        if name not in BESIDE:
            (numbers if all(c is None or _is_number(c) for c in cells) else left).append(name)
    return numbers, left


def _by_case(table: Table, wanted: Iterable[str], path: Path) -> tuple[Values, list[str]]:
    """Return the features of each case, and their names in order: with the label's where there are several labels."""
    labels = [cell or "" for cell in table.get(LABEL, [""] * len(table[CASE]))]
    several = len(set(labels)) > 1
    values: Values = {}
    names: dict[str, None] = {}
    seen: set[tuple[str, str]] = set()
    for row, (case, label) in enumerate(zip(table[CASE], labels, strict=True)):
        if case is None:
            raise DataError(f"{path}: row {row + 2} names no case")
        if (case, label) in seen:
            raise DataError(f"{path}: two rows of one case", found=f"'{case}'{f', {label}' if label else ''}")
        seen.add((case, label))
        for name in wanted:
            called = f"{label} {name}" if several else name
            names[called] = None
            values.setdefault(case, {})[called] = _number(table[name][row])
    return values, list(names)


def _learned(table: Table, record: Mapping[str, Any], ids: set[str]) -> tuple[frozenset[str], list[str]]:
    """Return the cases of which features must not be tested, and what must be said of the bundle that made them."""
    told = table.get(LEARNED)
    if told is None:
        return frozenset(), []
    seen = {case for case, word in zip(table[CASE], told, strict=True) if word == YES and case in ids}
    if any(word == UNKNOWN for word in told):
        return frozenset(), [
            "whether the bundle that made these features learned from these cases is not known"
        ]
    if not seen:
        return frozenset(), []
    about = f"made by a bundle that learned from {len(seen)} of these cases"
    if record.get("learned", {}).get("without_target"):
        return frozenset(), [f"{about}, without a target"]
    text = f"{about}: none of them is tested on, and a model leans on them more than new cases will bear out"
    return frozenset(str(case) for case in seen), [text]


def _record(path: Path) -> Mapping[str, Any]:
    """Return the record beside a table; nothing where there is none, or none that can be read."""
    try:
        found = json.loads(record_of(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str | None) -> float | None:
    """Return a finite number; None where there is none."""
    value = float("nan") if cell is None else float(cell)
    return value if abs(value) < float("inf") else None
