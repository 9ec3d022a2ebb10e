"""The tables of an archive's folder, made from its ledger row by row: answers, what they list, faults and studies."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vesalius.core.cohort import SetAside
from vesalius.core.disk import output_errors, write_with
from vesalius.infer.drift import Drift
from vesalius.infer.drifting import DriftReport, of_folder
from vesalius.run.archive.studies import Studies
from vesalius.run.drift_rows import TABLE as DRIFT
from vesalius.run.drift_rows import bins_of

ANSWERS, FAILED, STUDIES = "answers.csv", "failed.csv", "studies.csv"
COLUMNS = (
    "study",
    "place",
    "state",
    "tries",
    "cases",
    "seconds",
    "worker",
    "files",
    "bytes",
    "bundle",
    "stored",
    "reason",
)
Rows = Callable[[], Iterable[Mapping[str, Any]]]


def write_tables(ledger: Studies, out: Path, *, partial: bool) -> None:
    """Write all tables anew; `partial` ones of an archive that is not done yet are called so. Raises OutputError."""
    for name, rows in _tables(ledger).items():
        path = out / name
        other = path.with_name(f"{path.stem}.partial{path.suffix}")
        _write(other if partial and name != STUDIES else path, rows)
        if name != STUDIES:
            with output_errors(out):
                (path if partial else other).unlink(missing_ok=True)


def _tables(ledger: Studies) -> dict[str, Rows]:
    found: dict[str, Rows] = {ANSWERS: lambda: _answers(ledger), FAILED: lambda: _failed(ledger)}
    names = "SELECT DISTINCT key FROM cases, json_each(cases.listed) ORDER BY key"
    for (name,) in list(ledger.rows(names)):
        found[name] = lambda name=name: _listed(ledger, name)  # type: ignore[misc]
    found[DRIFT] = lambda: _drift(ledger)
    found[STUDIES] = lambda: _studies(ledger)
    return found


def _write(path: Path, rows: Rows) -> None:
    """Write a table whose columns are all that any row has, in the order in which they come; none without a row."""
    names = list(dict.fromkeys(name for row in rows() for name in row))
    if not names:
        with output_errors(path):
            path.unlink(missing_ok=True)
        return

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, names, restval="", lineterminator="\n")
            table.writeheader()
            table.writerows(rows())

    write_with(path, write)


def _answers(ledger: Studies) -> Iterator[Mapping[str, Any]]:
    for (row,) in ledger.rows("SELECT row FROM cases ORDER BY n, k"):
        yield json.loads(row)


def _listed(ledger: Studies, name: str) -> Iterator[Mapping[str, Any]]:
    for (listed,) in ledger.rows("SELECT listed FROM cases ORDER BY n, k"):
        yield from json.loads(listed).get(name, ())


def _failed(ledger: Studies) -> Iterator[Mapping[str, Any]]:
    for name, reason in _faults(ledger):
        yield {"case": name, "reason": reason}


def _faults(ledger: Studies) -> Iterator[tuple[str, str]]:
    yield from ledger.rows(
        "SELECT name, reason FROM (SELECT n, name, reason FROM faults UNION ALL SELECT n, study, "
        "'answered, but not stored: ' || unstored FROM studies WHERE unstored != '') ORDER BY n"
    )


def _drift(ledger: Studies) -> Iterator[Mapping[str, Any]]:
    for (row,) in ledger.rows("SELECT row FROM drift ORDER BY n"):
        yield json.loads(row)


def _studies(ledger: Studies) -> Iterator[Mapping[str, Any]]:
    found = ledger.rows(
        "SELECT study, place, state, tries, (SELECT count(*) FROM cases WHERE cases.n = studies.n), seconds, worker, "
        "files, bytes, substr(bundle, 1, 16), stored, CASE WHEN reason = '' THEN unstored ELSE reason END "
        "FROM studies ORDER BY n"
    )
    for row in found:
        yield dict(zip(COLUMNS, ("" if cell is None else cell for cell in row), strict=True))


def answered(ledger: Studies) -> tuple[str, ...]:
    """Return the ids of the cases that are answered, in the order of the table."""
    return tuple(name for (name,) in ledger.rows("SELECT name FROM cases ORDER BY n, k"))


def set_aside(ledger: Studies) -> tuple[SetAside, ...]:
    """Return what is not answered, or lacks a file, and why."""
    return tuple(SetAside(name, reason) for name, reason in _faults(ledger))


def drift_of(ledger: Studies, reference: Drift | None) -> DriftReport:
    """Return whether the cases, one of each patient, differ from what the bundle learned from."""
    if reference is None:
        return of_folder(None, ())
    patients = (
        "SELECT row, (SELECT patient FROM cases WHERE name = json_extract(drift.row, '$.case')) FROM drift"
    )
    rows = ((json.loads(row), patient or None) for row, patient in ledger.rows(f"{patients} ORDER BY n"))
    return of_folder(reference, bins_of(reference, rows))
