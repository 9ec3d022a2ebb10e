"""findings.csv: what is truly in the images of cases, a row a finding, beside the table or the images."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar, get_args

from vesalius.core.delimited import Table
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.finding import Change, Finding, Side, Status

TABLE = "findings.csv"
COLUMNS = ("case", "finding", "status", "side", "place", "size_mm", "count", "change", "sentence", "code")
_MOST = 1e9  # above this nothing is a size or a count
NEEDED = ("case", "finding")
_T = TypeVar("_T", float, int)


def is_findings(names: Iterable[str]) -> bool:
    """Return whether a table with these columns is one of findings: it has those of cases and of findings."""
    there = {name.strip().casefold() for name in names}
    return set(NEEDED) <= there


def written(findings: Mapping[str, Sequence[Finding] | None]) -> str:
    """Return the table as CSV text: a row a finding, and a row with the case alone where nothing is in it.

    `findings` are those of each case by its id; a case of which nobody knows anything (None) has no row.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for case, held in findings.items():
        if held is not None and not held:
            writer.writerow([case, *[""] * (len(COLUMNS) - 1)])
        for f in held or ():
            size = "" if f.size_mm is None else f"{f.size_mm:.10g}"
            row = [f.name, f.status, f.side, f.place, size, f.count, f.change, f.sentence, f.code]
            writer.writerow([case, *("" if cell is None else cell for cell in row)])
    return out.getvalue()


def parsed(table: Table, where: str = TABLE) -> dict[str, tuple[Finding, ...]]:
    """Return the findings of each case by the name that the table has for it; none where its row holds nothing else.

    A status that is not given is `present`. `where` names the table in errors. Raises DataError, with the row, for a
    column that is lacking, a word that is not one of a column's, a size or a count that cannot be, a finding that
    stands there twice, and a case that has findings and a row without.
    """
    columns = {name.strip().casefold(): cells for name, cells in table.items()}
    lacking = [name for name in NEEDED if name not in columns]
    if lacking:
        raise DataError(f"{where}: no column '{lacking[0]}'", found=", ".join(table), hint=", ".join(COLUMNS))
    strange = [name for name in columns if name not in COLUMNS]
    if strange:
        raise UnknownName(f"column of {where}", strange[0], COLUMNS)
    found: dict[str, list[Finding]] = {}
    empty: dict[str, int] = {}
    for k, case in enumerate(columns["case"]):
        row = {name: (cells[k] or "").strip() for name, cells in columns.items() if name != "case"}
        at = f"{where}, row {k + 2}"
        if not (case or "").strip():
            raise DataError(f"{at}: no case is named")
        name = str(case).strip()
        held = found.setdefault(name, [])
        if not any(row.values()):
            empty.setdefault(name, k + 2)
            continue
        finding = _finding(row, at)
        if finding in held:
            raise DataError(
                f"{at}: the same finding twice", found=f"{name}: {finding}", hint="a count, or one row"
            )
        held.append(finding)
    for name, line in empty.items():
        if found[name]:
            raise DataError(
                f"{where}, row {line}: this row says that nothing is in '{name}', and others say that something is"
            )
    return {name: tuple(held) for name, held in found.items()}


def _finding(row: Mapping[str, str], at: str) -> Finding:
    """Return the finding of a row. Raises DataError."""
    if not row["finding"]:
        raise DataError(
            f"{at}: no finding is named", found=", ".join(f"{n} {v}" for n, v in row.items() if v)
        )
    status = _word(row.get("status", ""), "status", get_args(Status), at) or "present"
    side = _word(row.get("side", ""), "side", get_args(Side), at) or None
    change = _word(row.get("change", ""), "change", get_args(Change), at) or None
    return Finding(
        row["finding"],
        status,  # type: ignore[arg-type]
        side=side,  # type: ignore[arg-type]
        place=row.get("place", ""),
        size_mm=_number(row.get("size_mm", ""), "size_mm", float, at, least=0.0),
        count=_number(row.get("count", ""), "count", int, at, least=0),
        change=change,  # type: ignore[arg-type]
        code=row.get("code", ""),
        sentence=_number(row.get("sentence", ""), "sentence", int, at, least=0),
    )


def _word(text: str, column: str, known: Sequence[str], at: str) -> str:
    word = text.casefold()
    if word and word not in known:
        raise DataError(f"{at}: unknown {column}", found=f"'{text}'", hint=f"one of {', '.join(known)}")
    return word


def _number(text: str, column: str, kind: type[_T], at: str, *, least: _T) -> _T | None:
    """Return the number in a cell; None where it is empty. Raises DataError for one below `least` or not finite."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    fits = least <= value < _MOST and (value.is_integer() if kind is int else value > 0)
    if not fits:
        said = "a whole number from 0 on" if kind is int else "a length in mm, above 0"
        raise DataError(f"{at}: {column} is {said}", found=f"'{text}'")
    return kind(value)
