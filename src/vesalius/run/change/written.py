"""A change written down: change.json, change.csv, change.html, and the answers to both visits."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius import formats
from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, OutputError
from vesalius.core.file_names import FileNames
from vesalius.core.numbers import finite
from vesalius.run.answers_folder import object_suffixes
from vesalius.run.change.page import overview, page
from vesalius.run.change.result import Change, Changes, rows

TABLE, PAGE, FILE, FAILED, PATIENTS = "change.csv", "change.html", "change.json", "failed.csv", "patients"


def write_change(change: Change, folder: Path, *, dicom: bool = False) -> list[str]:
    """Write one patient's change into a folder, and return what could not be written. Raises OutputError."""
    write_text(folder / FILE, as_json(change.json()))
    write_text(folder / TABLE, as_csv(rows([change])))
    write_text(folder / PAGE, page(change))
    carried = change.carried()
    named = [("earlier", change.answers[0]), ("later", change.answers[1])]
    named += [] if carried is None or not _pictured(carried) else [("earlier-on-later", carried)]
    for name, answer in named:
        if answer.withheld is not None:
            continue
        for part, one in contract.images(answer):
            lead = f"{name}.{part}" if part else name
            formats.write(one, folder / f"{lead}{contract.of(one).suffix(one)}")
    return _objects(change, folder) if dicom else []


def write_changes(changes: Changes, folder: Path, *, pages: Mapping[int, str]) -> None:
    """Write several patients' changes: a row each in the table, all of them in the JSON, and the overview's page."""
    document = {
        "patients": [{"patient": one.patient or one.visits[1].case, **one.json()} for one in changes.changes],
        "set_aside": [{"case": one.case, "reason": one.reason} for one in changes.set_aside],
    }
    write_text(folder / FILE, as_json(document))
    write_text(folder / TABLE, as_csv(rows(changes.changes)))
    if changes.set_aside:
        write_text(folder / FAILED, as_csv([{"case": a.case, "reason": a.reason} for a in changes.set_aside]))
    write_text(folder / PAGE, overview(changes, pages))


def write_page(change: Change, folder: Path, names: FileNames) -> str:
    """Write the page of one of several patients, and return where it lies from the overview."""
    place = f"{PATIENTS}/{names[change.patient or change.visits[1].case]}.html"
    write_text(folder / place, page(change))
    return place


def as_json(found: Mapping[str, Any]) -> str:
    """Return JSON text; what is not finite becomes null."""
    return json.dumps(finite(dict(found)), indent=1, allow_nan=False, default=str) + "\n"


def as_csv(made: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a table, numbers with ten figures."""
    text = io.StringIO()
    sheet = csv.DictWriter(text, list(made[0]) if made else ["patient"], lineterminator="\n")
    sheet.writeheader()
    for row in made:
        sheet.writerow(
            {k: f"{v:.10g}" if isinstance(v, float) else "" if v is None else v for k, v in row.items()}
        )
    return text.getvalue()


def _pictured(answer: Answer) -> bool:
    return any(True for _ in contract.images(answer))


def _objects(change: Change, folder: Path) -> list[str]:
    """Write the DICOM objects of both answers, and the report of the change. Returns what could not be written."""
    from vesalius.dicom.write import sr_change

    said = []
    for name, answer in zip(("earlier", "later"), change.answers, strict=True):
        for suffix in object_suffixes(answer, dicom=True, also=()):
            try:
                formats.write(answer, folder / f"{name}{suffix}")
            except (OutputError, DataError) as error:
                said.append(f"there is no {name}{suffix}: {error}")
    try:
        moved = () if change.changed is None else change.changed.moved
        sr_change.write(change.answers, change.growths, change.days, folder / "change.sr.dcm", moved=moved)
    except (OutputError, DataError) as error:
        said.append(f"there is no change.sr.dcm: {error}")
    return said
