"""Split files (`case,split`), and patients on both sides of a declared split."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from vesalius.cohorts._build import SPLIT_NOTE, as_split
from vesalius.core.case import Case, Split
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, LeakError, UnknownName, closest_path


def read_split_file(path: Path) -> dict[str, Split]:
    """The split of each case named in a CSV with the columns `case` and `split`. Raises DataError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise DataError(
            f"no split file at {path}", hint=closest_path(path, "a CSV with the columns case,split")
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV", found=str(error)) from error
    if not rows or not {"case", "split"} <= set(rows[0]):
        raise DataError(
            f"{path} is no split file",
            found=f"columns {', '.join(filter(None, rows[0]))}" if rows else "no rows",
            hint="a CSV with the columns case,split",
        )
    splits: dict[str, Split] = {}
    for row in rows:
        name, word = (row["case"] or "").strip(), row["split"] or ""
        split = as_split(word)
        if split is None:
            raise DataError(f"{path}: '{name}' has the split '{word}'", hint="train, val or test")
        if splits.setdefault(name, split) != split:
            raise LeakError(f"{path}: '{name}' stands in two splits", found=f"{splits[name]} and {split}")
    return splits


def apply_split_file(cohort: Cohort, path: Path) -> Cohort:
    """The cohort with the file's splits in place of any declared; cases that it does not name have none.

    Raises UnknownName (with the closest names) for a case that is not in the data; one set aside is let pass.
    """
    splits = read_split_file(path)
    names = {c.id for c in cohort.cases}
    aside = {s.case for s in cohort.set_aside}
    for name in splits:
        if name not in names and name not in aside:
            raise UnknownName(f"case in {path}", name, names)
    cases = tuple(replace(c, split=splits.get(c.id)) for c in cohort.cases)
    left_out = sum(c.split is None for c in cases)
    note = f"{SPLIT_NOTE}{path.name}" + (f"; {left_out} without a split" if left_out else "")
    return replace(cohort, cases=cases, notes=(*cohort.notes, note))


def leaking_patients(cases: Iterable[Case]) -> dict[str, tuple[Case, ...]]:
    """Patients whose cases stand in more than one declared split, with those cases."""
    by_patient: dict[str, list[Case]] = {}
    for case in cases:
        if case.patient is not None and case.split is not None:
            by_patient.setdefault(case.patient, []).append(case)
    return {
        patient: tuple(listed) for patient, listed in by_patient.items() if len({c.split for c in listed}) > 1
    }
