"""Split files (`case,split`), and patients on both sides of a declared split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vesalius.cohorts._build import SPLIT_NOTE, as_split
from vesalius.cohorts._table_io import read_cells
from vesalius.core.case import Case, Split
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, LeakError, UnknownName, closest_path

RELABELLED = re.compile(
    r"cleaned: [^;]*\d relabelled;"
)  # the note of a cleaned cohort, as `_cleaning` writes it


def read_split_file(path: Path) -> dict[str, Split]:
    """Return the split of each case named in a table with the columns `case` and `split`. Raises DataError."""
    if not path.exists():
        raise DataError(
            f"no split file at {path}", hint=closest_path(path, "a CSV with the columns case,split")
        )
    table = read_cells(path)
    if not {"case", "split"} <= set(table):
        raise DataError(
            f"{path} is not a split file",
            found=f"columns {', '.join(filter(None, table))}",
            hint="a CSV with the columns case,split",
        )
    splits: dict[str, Split] = {}
    for cell, told in zip(table["case"], table["split"], strict=True):
        name, word = (cell or "").strip(), told or ""
        split = as_split(word)
        if split is None:
            raise DataError(f"{path}: '{name}' has the unknown split '{word}'", hint="train, val or test")
        if splits.setdefault(name, split) != split:
            raise LeakError(f"{path}: '{name}' is in two splits", found=f"{splits[name]} and {split}")
    return splits


def apply_split_file(cohort: Cohort, path: Path) -> Cohort:
    """Return the cohort with the file's splits in place of any declared; cases that it does not name have none.

    Raises UnknownName (with the closest names) for a case that is not in the data; one set aside is let pass. Raises
    DataError where cases were relabelled, and another case than before would be tested on.
    """
    splits = read_split_file(path)
    names = {c.id for c in cohort.cases}
    aside = {s.case for s in cohort.set_aside}
    for name in splits:
        if name not in names and name not in aside:
            raise UnknownName(f"case in {path}", name, names)
    cases = tuple(replace(c, split=splits.get(c.id)) for c in cohort.cases)
    if any(RELABELLED.match(note) for note in cohort.notes):
        _assert_tested_before(cases, cohort.cases, path)
    left_out = sum(c.split is None for c in cases)
    note = f"{SPLIT_NOTE}{path.name}" + (f"; {left_out} without a split" if left_out else "")
    return replace(cohort, cases=cases, notes=(*cohort.notes, note))


def _assert_tested_before(cases: Sequence[Case], before: Sequence[Case], path: Path) -> None:
    """Raise DataError unless all cases that are tested on were so before: others may have been relabelled."""
    was, tested = _tested(before), _tested(cases)
    new = sorted(tested - was)
    if new or not tested:
        raise DataError(
            "a cohort with relabelled cases keeps the split that it was cleaned by",
            found=f"{path.name} has '{new[0]}' tested on" if new else f"{path.name} has no case tested on",
            hint=f"vesalius clean DATA --split {path}",
        )


def _tested(cases: Iterable[Case]) -> set[str]:
    """Return the cases of test, or of val where there is no test."""
    listed = [(c.id, c.split) for c in cases]
    held = "test" if any(split == "test" for _, split in listed) else "val"
    return {name for name, split in listed if split == held}


def leaking_patients(cases: Iterable[Case]) -> dict[str, tuple[Case, ...]]:
    """Return patients whose cases stand in more than one declared split, with those cases."""
    by_patient: dict[str, list[Case]] = {}
    for case in cases:
        if case.patient is not None and case.split is not None:
            by_patient.setdefault(case.patient, []).append(case)
    return {
        patient: tuple(listed) for patient, listed in by_patient.items() if len({c.split for c in listed}) > 1
    }
