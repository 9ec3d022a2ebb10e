"""Labels written as a cohort: a table with what each report says, sentence by sentence, and who read it, beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.disk import write_text
from vesalius.core.file_names import FileNames
from vesalius.run.cells import image_cells
from vesalius.run.labelling.result import Labeller, Read, Unsure, label_of
from vesalius.run.ledger import as_csv

TABLE, SAID, RECORD = "labels.csv", "said.csv", "labels.json"
ACTIONABLE = "actionable"
_TAKEN = frozenset({"case", "patient", "split", "report", ACTIONABLE})


def found_in(labeller: Labeller, read: Mapping[str, Read]) -> tuple[str, ...]:
    """Return the findings that some report says are there, or may be, in the labeller's order: they become columns."""
    there = {n for one in read.values() for n, s in one.statuses.items() if s in ("present", "uncertain")}
    return tuple(name for name in labeller.names if name in there)


def columns_of(findings: Sequence[str]) -> dict[str, str]:
    """Return the column of each finding: its name, or where the table has such a column `finding NAME`."""
    return {name: f"finding {name}" if name.casefold() in _TAKEN else name for name in findings}


def write_table(
    folder: Path,
    cohort: Cohort,
    read: Mapping[str, Read],
    findings: Sequence[str],
    *,
    uncertain: Unsure,
    unmentioned: Unsure,
) -> None:
    """Write the table of the new cohort: a row a case, its images where they lie, and 1, 0 or nothing for each finding.

    A case whose report was not read has no labels at all.
    """
    named = FileNames(case.id for case in cohort.cases)
    columns = columns_of(findings)
    rows = [
        _row(
            folder,
            case,
            read[case.id],
            columns,
            name=named[case.id],
            uncertain=uncertain,
            unmentioned=unmentioned,
        )
        for case in cohort.cases
    ]
    heads = [
        h for h in dict.fromkeys(n for row in rows for n in row) if any(r.get(h) is not None for r in rows)
    ]
    write_text(folder / TABLE, as_csv([{h: row.get(h) for h in heads} for row in rows]))


def _row(
    folder: Path,
    case: Case,
    read: Read,
    columns: Mapping[str, str],
    *,
    name: str,
    uncertain: Unsure,
    unmentioned: Unsure,
) -> dict[str, Any]:
    row: dict[str, Any] = {"case": case.id, "patient": case.patient, "split": case.split}
    row |= image_cells(folder, case, name)
    row |= {n: v for n, v in case.covariates.items() if n not in row and n not in columns.values()}
    row |= {"report": case.report} if case.report else {}
    for finding, column in columns.items():
        label = label_of(read.statuses.get(finding), uncertain=uncertain, unmentioned=unmentioned)
        row[column] = None if read.why else label
    row[ACTIONABLE] = None if read.why else int(bool(read.actionable))
    return row


def write_said(folder: Path, labeller: Labeller, read: Mapping[str, Read]) -> None:
    """Write what was read: a row a finding and sentence, with the words that told it; of a bundle a row a label."""
    rows: list[dict[str, Any]] = []
    for case, one in read.items():
        for reading in one.readings:
            f = reading.finding
            rows.append(
                {
                    "case": case,
                    "finding": f.name,
                    "status": f.status,
                    "side": f.side,
                    "place": f.place or None,
                }
                | {"size_mm": f.size_mm, "count": f.count, "change": f.change, "code": f.code or None}
                | {
                    "sentence": f.sentence,
                    "section": reading.section,
                    "text": reading.sentence,
                    "rule": reading.rule,
                }
            )
        if not one.readings:
            rows += [
                {
                    "case": case,
                    "finding": name,
                    "status": status,
                    "p": f"{one.p[name]:.6f}" if name in one.p else None,
                }
                for name, status in one.statuses.items()
            ]
    heads = (
        dict.fromkeys(n for row in rows for n in row)
        if rows
        else dict.fromkeys(("case", "finding", "status"))
    )
    table = as_csv([{h: row.get(h) for h in heads} for row in rows]) if rows else ",".join(heads) + "\n"
    write_text(folder / SAID, table)


def as_json(
    cohort: Cohort,
    labeller: Labeller,
    read: Mapping[str, Read],
    findings: Sequence[str],
    *,
    uncertain: Unsure,
    unmentioned: Unsure,
    notes: Sequence[str],
) -> dict[str, Any]:
    """Return everything that was read, counted, and who read it, as labels.json holds it."""
    done = [one for one in read.values() if not one.why]
    columns = columns_of(findings)
    counts = []
    for name in findings:
        said = Counter(one.statuses.get(name) for one in done)
        labels = Counter(
            label_of(one.statuses.get(name), uncertain=uncertain, unmentioned=unmentioned) for one in done
        )
        counts.append(
            {"name": name, "column": columns[name], "code": labeller.codes.get(name, "")}
            | {status: said[status] for status in ("present", "absent", "uncertain", "past")}
            | {"unmentioned": said[None], "labelled_1": labels[1], "labelled_0": labels[0]}
        )
    return {
        "data_hash": cohort.hash,
        "reader": dict(labeller.document),
        "uncertain": uncertain,
        "unmentioned": unmentioned,
        "cases": len(read),
        "reports": len(done),
        "unread": {item.case: item.reason for item in cohort.set_aside}
        | {case: one.why for case, one in read.items() if one.why},
        "findings": counts,
        "actionable": {case: list(one.actionable) for case, one in read.items() if one.actionable},
        "notes": list(notes),
    }


def write_record(folder: Path, document: Mapping[str, Any]) -> None:
    """Write labels.json."""
    write_text(folder / RECORD, json.dumps(document, indent=1, allow_nan=False) + "\n")
