"""One case's answer written into a folder: its files, and what tables are to say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.image import Image
from vesalius.infer.guard import in_words
from vesalius.run.answers_folder import case_files, object_suffixes, write_case, write_objects
from vesalius.run.predict_settings import PredictSettings

WITHOUT = "no DICOM object holds an answer of kind {}: none is written; try --json"


@dataclass(frozen=True, eq=False)
class Written:
    """What lies on disk of a case: its files, its row, the rows of what it lists by table, and which files lack why."""

    files: tuple[Path, ...]
    objects: tuple[Path, ...]
    row: Mapping[str, Any]
    listed: Mapping[str, Sequence[Mapping[str, Any]]]
    lacking: tuple[str, ...]


def write_one(
    case: str,
    answer: Answer,
    reference: Image | None,
    *,
    name: str,
    folder: Path,
    settings: PredictSettings,
) -> Written:
    """Write an answer's files, called `name`, or none of them. Raises OutputError, DataError."""
    files = case_files(answer, name, folder, json=settings.json, overlays=settings.overlays)
    suffixes = object_suffixes(answer, dicom=settings.dicom, also=settings.also)
    objects = {s: folder / f"{name}{s}" for s in suffixes}
    try:
        write_case(answer, reference, files)
        lacking = write_objects(answer, objects)
        listed = {
            table: [{"case": case, **one} for one in rows] for table, rows in contract.listed(answer).items()
        }
        row = {"case": case, **contract.columns(answer), "outside": in_words(answer.outside)}
    except BaseException:
        for path in (*files, *objects.values()):
            path.unlink(missing_ok=True)
        raise
    return Written(tuple(files), tuple(objects.values()), row, listed, tuple(lacking))


def holds_no_object(answer: Answer, settings: PredictSettings) -> str:
    """Return a sentence where DICOM is asked for and no object holds such an answer; an empty text elsewhere."""
    bare = settings.dicom and not contract.of(answer).objects
    return WITHOUT.format(type(answer).__name__) if bare else ""
