"""What a folder of answers holds of each case: its images, its JSON, its overlay, its DICOM objects."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from vesalius import formats
from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay
from vesalius.core.answers import Answer
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, OutputError
from vesalius.core.file_names import file_names
from vesalius.core.image import Image


def object_suffixes(answer: Answer, *, dicom: bool, also: Sequence[str]) -> list[str]:
    """Return the suffixes of the objects that are written of an answer, its DICOM objects and those asked for beside.

    Of an answer that is withheld these are only those of formats that say so.
    """
    every = dict.fromkeys((*(contract.of(answer).objects_of(answer) if dicom else ()), *also))
    return [s for s in every if answer.withheld is None or formats.marks_withheld(Path(f"answer{s}"))]


def case_files(
    answer: Answer, name: str, folder: Path, *, json: bool, overlays: bool
) -> dict[Path, Answer | None]:
    """Return the files that a case gets, each with the answer that is written to it; None where its overlay is."""
    found: dict[Path, Answer | None] = {}
    if answer.withheld is not None:  # nobody is to take it for a result; the JSON says that it is withheld
        return {folder / f"{name}.json": answer} if json else {}
    pictured = dict(contract.images(answer))
    parts = file_names(part for part in pictured if part)
    for part, one in pictured.items():
        lead = f"{name}.{parts[part]}" if part else name
        found[folder / f"{lead}{contract.of(one).suffix(one)}"] = one
    if json:
        found[folder / f"{name}.json"] = answer
    if overlays:
        found[folder / f"{name}.overlay.png"] = None
    return found


def write_case(answer: Answer, reference: Image | None, files: Mapping[Path, Answer | None]) -> None:
    """Write a case's files. Raises OutputError, DataError."""
    for path, one in files.items():
        if one is None:
            if reference is not None:
                overlay(reference, answer, path)
        else:
            formats.write(one, path)


def write_listings(answer: Answer, folder: Path, *, lead: str = "") -> dict[str, Path]:
    """Write what an answer lists, a table each, and return the files by the tables' names. Raises OutputError."""
    made: dict[str, Path] = {}
    for table, rows in contract.listed(answer).items():
        text = io.StringIO()
        sheet = csv.DictWriter(text, ["case", *(rows[0] if rows else ())], lineterminator="\n")
        sheet.writeheader()
        sheet.writerows({"case": answer.case_id, **row} for row in rows)
        made[table] = folder / f"{lead}{table}"
        write_text(made[table], text.getvalue())
    return made


def write_objects(answer: Answer, objects: Mapping[str, Path]) -> list[str]:
    """Write one file for each suffix; what cannot be written is said, and the others are."""
    reasons = []
    for suffix, path in objects.items():
        try:
            formats.write(answer, path)
        except (OutputError, DataError) as error:
            reasons.append(f"answered, but there is no {suffix}: {error}")
    return reasons
