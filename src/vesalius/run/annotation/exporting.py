"""What annotators said, written as new targets: a cohort of what is settled, and every reading beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.disk import output_errors, write_text
from vesalius.core.errors import DataError, FormatError, OutputError, VesaliusError
from vesalius.core.file_names import FileNames
from vesalius.core.progress import Progress
from vesalius.run.annotation import tables
from vesalius.run.annotation.agreeing import compared_in, complete, expert_cells
from vesalius.run.annotation.asks import kind_of
from vesalius.run.annotation.asks.mask import array_of
from vesalius.run.annotation.coco import coco
from vesalius.run.annotation.deciding import Truth, truth_of
from vesalius.run.annotation.export import READINGS, Export
from vesalius.run.annotation.project import Project
from vesalius.run.annotation.reading import Reading
from vesalius.run.annotation.segs import write_seg
from vesalius.run.annotation.standing import Standing
from vesalius.run.annotation.store import drawing_digest
from vesalius.run.cells import image_cells

TABLE, NAMES = "cohort.csv", "dataset.json"


@dataclass(frozen=True)
class Written:
    """What was written: how many readings that are done, cases with a truth, SEGs; and cases left out, with the reason.

    `table` is that of the cohort, None where nothing is settled; `experts` are the tables that `vesalius consensus`
    takes, one for each thing that is asked. `unsettled` are the cases whose truth is open in some thing.
    """

    table: Path | None
    experts: tuple[Path, ...]
    readings: int
    drafts: int
    cases: int
    segs: int
    unsettled: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def export(one: Export, progress: Progress) -> Written:
    """Write what annotators said into an empty folder. Raises DataError where no reading is done, OutputError."""
    project, out = one.project, one.out
    done = one.done()
    if not done:
        drafts = sum(len(each) for each in one.newest.values())
        found = one.left_out[0][1] if one.left_out else f"{drafts} that are not done"
        raise DataError(f"no reading of {one.folder} is done yet", found=found)
    drawn = _write_drawings(one, done)
    segs = _write_segs(one, [r for r in done if r.id in drawn], progress)
    standings = complete(project, one.newest)
    truths = {key: truth_of(project, s, one.drawing) for key, s in standings.items()}
    rows = {key: _row(one, key, truths[key], drawn) for key in truths if _is_settled(project, truths[key])}
    table = None
    if rows:
        table = out / TABLE
        write_text(table, tables.as_table(list(rows.values())))
        if project.ask("boxes") is not None:
            boxes = {one.cases[k].id: truths[k].by_kind["boxes"][0] for k in rows}
            write_text(out / "boxes.csv", tables.boxes_table(boxes, flat=_all_flat(one, rows)))
        _names(project, out, ["mask"])
    experts = _write_experts(one, standings, drawn)
    write_text(out / READINGS / "readings.csv", tables.readings_table(one, done, drawn))
    write_text(out / READINGS / "coco.json", coco(project, one.cases, done, out / READINGS))
    unsettled = tuple(one.cases[k].id for k, truth in truths.items() if truth.open)
    drafts = sum(not r.done for key in one.cases for r in one.newest[key])
    return Written(table, tuple(experts), len(done), drafts, len(rows), segs, unsettled, tuple(one.left_out))


def _all_flat(one: Export, keys: Iterable[str]) -> bool:
    """Return whether all images are single planes."""
    images = [one.cases[key].image for key in keys]
    return all(isinstance(image, Ref) and formats.header(image).shape[0] == 1 for image in images)


def _is_settled(project: Project, truth: Truth) -> bool:
    """Return whether a case may stand in the cohort: a case without a row in boxes.csv would be one without a box."""
    return bool(truth.by_kind) and "boxes" not in truth.open


def _write_drawings(one: Export, done: Sequence[Reading]) -> dict[str, Path]:
    """Copy each drawing of a reading that is done; return its file by the reading's id. Raises FormatError.

    A file whose values are not those that were saved is refused.
    """
    found: dict[str, Path] = {}
    for reading in done:
        digest = reading.content.get("mask")
        if digest is None:
            continue
        source = one.drawing(str(digest))
        try:
            same = drawing_digest(array_of(source)) == str(digest).partition("-")[0]
        except VesaliusError as error:
            raise FormatError(f"{source} cannot be read", found=str(error)) from error
        if not same:
            raise FormatError(f"{source} is not what was saved", hint="the folder as the service wrote it")
        goal = one.out / f"{one.place(reading)}.nii.gz"
        with output_errors(goal):
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, goal)
        found[reading.id] = goal
    return found


def _write_segs(one: Export, drawn: Sequence[Reading], progress: Progress) -> int:
    """Write a SEG of each drawing on a DICOM image, in its geometry; return how many."""
    ask, count = one.project.ask("mask"), 0
    for reading in drawn:
        case = one.cases[reading.case]
        if (
            ask is None
            or not isinstance(case.image, Ref)
            or formats.by_content(case.image.paths[0]) != "dicom"
        ):
            continue
        path = one.out / f"{one.place(reading)}.seg.dcm".replace(f"{READINGS}/masks/", "seg/")
        try:
            write_seg(reading, case, ask.labels, one.drawing(str(reading.content["mask"])), path)
            count += 1
        except (OutputError, DataError) as error:
            progress.note(f"no SEG of {case.id} by {reading.annotator}: {error}")
    return count


def _row(one: Export, key: str, truth: Truth, drawn: Mapping[str, Path]) -> dict[str, Any]:
    """Return the row of a case in the cohort's table."""
    case = one.cases[key]
    row: dict[str, Any] = {"case": case.id, "patient": case.patient, "split": case.split}
    row |= image_cells(one.out, case, one.named[case.id])
    row |= {n: v for n, v in case.covariates.items() if n not in row}
    for kind, (value, reading) in truth.by_kind.items():
        ask, path = one.project.ask(kind), drawn.get(reading.id)
        place = "" if path is None else path.relative_to(one.out).as_posix()
        row |= kind_of(kind).cells(value, ask.labels if ask else (), place)
    return row


def _write_experts(one: Export, standings: Mapping[str, Standing], drawn: Mapping[str, Path]) -> list[Path]:
    """Write a table for each thing in which two or more readers can be compared, as `vesalius consensus` reads it."""
    folder, written, named = one.out / READINGS, [], FileNames()
    files = {(r.case, r.annotator): drawn.get(r.id) for s in standings.values() for r in s.done}
    columns: list[str] = []
    for thing in compared_in(one.project):
        cells = expert_cells(thing, standings, one.drawing)
        names = sorted({name for row in cells.values() for name in row})
        if len(names) < 2 or not any(len(row) > 1 for row in cells.values()):
            continue
        rows = []
        for key, said in cells.items():
            case = one.cases[key]
            row: dict[str, Any] = {"case": case.id, "patient": case.patient, "split": case.split}
            row |= _seen_from(folder, one.out, image_cells(one.out, case, one.named[case.id]))
            for name, value in said.items():
                path = files.get((key, name)) if thing.drawn else None
                row[f"expert {name}"] = value if path is None else path.relative_to(folder).as_posix()
            rows.append(row)
        heads = [*dict.fromkeys(h for row in rows for h in row if not h.startswith("expert ")),
                 *(f"expert {n}" for n in names)]  # fmt: skip
        path = folder / f"{named[thing.name]}.csv"
        write_text(path, tables.as_table([{h: row.get(h) for h in heads} for row in rows]))
        columns += [f"expert {n}" for n in names] if thing.drawn else []
        written.append(path)
    if columns:
        _names(one.project, folder, columns)
    return written


def _seen_from(folder: Path, out: Path, cells: Mapping[str, str]) -> dict[str, str]:
    """Return where images lie as a table in `folder` has it, of cells for one in `out`."""
    return {
        k: Path(os.path.relpath((out / v).resolve(), folder.resolve())).as_posix() for k, v in cells.items()
    }


def _names(project: Project, folder: Path, columns: Sequence[str]) -> None:
    """Write what the values in masks stand for, beside a table."""
    ask = project.ask("mask")
    if ask is not None:
        write_text(folder / NAMES, tables.label_names(ask.labels, columns))


def remove(folder: Path) -> None:
    """Remove what an export that failed left."""
    with suppress(OSError):
        shutil.rmtree(folder)
