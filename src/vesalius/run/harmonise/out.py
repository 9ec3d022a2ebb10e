"""What `harmonise` writes: harmonised images or features with their table, and what was learned, in a new folder."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.cohorts import save_findings
from vesalius.core.case import Case, Ref, Target
from vesalius.core.cohort import Cohort
from vesalius.core.disk import new_folder, output_errors, write_text
from vesalius.core.errors import DataError
from vesalius.core.file_names import file_names
from vesalius.core.plan import HarmonisePlan, HarmoniseStep
from vesalius.core.progress import Progress, track
from vesalius.core.words import listed
from vesalius.prepare import harmonise
from vesalius.prepare.case import frame, load
from vesalius.prepare.harmonise import combat
from vesalius.run.harmonise.features import Table

RECORD = "harmonise.json"


def write_images(
    cohort: Cohort,
    images: Sequence[str],
    steps: Sequence[HarmoniseStep],
    out: Path,
    *,
    by: str,
    threshold: float | None,
    progress: Progress,
) -> tuple[Path, tuple[str, ...]]:
    """Write every case's named images after fitted steps as NIfTI, a table of the cases, and the steps.

    The table leads to other images and masks where they lie. Return the folder, and notes of what is not in it.
    Raises DataError for images with a time axis, OutputError where `out` holds something; then nothing is left there.
    """
    there = out.exists()
    folder = new_folder(out, default="harmonised")
    try:
        rows: list[dict[str, Any]] = []
        left: set[str] = set()
        stems = file_names([c.id for c in cohort.cases])
        for case in track(cohort.cases, progress, "write", len(cohort.cases)):
            row: dict[str, Any] = _ids(case)
            for name in case.images:
                if name not in images:
                    place = _place(folder, case.images[name])
                    row |= {} if place is None else {name: place}
                    left |= {f"image {name}"} if place is None else set()
                    continue
                image = load(case.images[name])
                if image.times_s is not None:
                    raise DataError(
                        f"case {case.id}: images with a time axis are not written", hint="without -o"
                    )
                pixels = [
                    harmonise.applied(c.astype(np.float32), steps, number=k)[0]
                    for k, c in enumerate(frame(image))
                ]
                path = f"{name}s/{stems[case.id]}.nii.gz"
                (folder / path).parent.mkdir(exist_ok=True)
                made = replace(image, array=np.stack(pixels), unit=None, display={})
                formats.write(made, folder / path)
                row[name] = path
            targets = {n: _cell(folder, v) for n, v in case.targets.items()}
            row |= {n: v for n, v in targets.items() if v is not None}
            left |= {f"target {n}" for n, v in targets.items() if v is None}
            rows.append(row | {n: v for n, v in case.covariates.items() if n not in row})
        write_text(folder / "cohort.csv", _csv(rows))
        save_findings(folder, cohort.cases)
        _write_names(folder, cohort)
        plan = HarmonisePlan(steps=tuple(steps), by=by, threshold=threshold)
        write_text(folder / RECORD, plan.model_dump_json(indent=1) + "\n")
    except BaseException:
        _removed(folder, there)
        raise
    notes = (f"not written, since no one file holds it: {listed(sorted(left), 5)}",) if left else ()
    return folder, notes


def write_features(table: Table, learned: combat.ComBat, out: Path, *, by: str) -> Path:
    """Write the features of all cases after ComBat, with their sites and covariates, and what it learned.

    Raises OutputError where `out` holds something.
    """
    there = out.exists()
    folder = new_folder(out, default="harmonised")
    try:
        made = combat.apply(learned, table.features, table.sites, table.covariates)
        rows = []
        for case, site, values in zip(table.cases, table.sites, made.tolist(), strict=True):
            own = {n: v for n, v in case.covariates.items() if n not in table.columns}
            said = {n: v for n, v in case.targets.items() if isinstance(v, str | int | float)}
            rows.append(
                {**_ids(case), by: site, **said, **own, **dict(zip(table.columns, values, strict=True))}
            )
        write_text(folder / "features.csv", _csv(rows))
        save_findings(folder, table.cases)
        record = {"method": "combat", "by": by, "columns": list(table.columns), **learned.json()}
        write_text(folder / RECORD, json.dumps(record, indent=1) + "\n")
    except BaseException:
        _removed(folder, there)
        raise
    return folder


def _ids(case: Case) -> dict[str, Any]:
    """Return who a case is of and what its author said of it; an unknown patient stays unknown."""
    ids = {"case": case.id, "patient": case.patient, "split": case.split, "report": case.report}
    return {name: value for name, value in {**ids, **case.texts}.items() if value is not None}


def _cell(folder: Path, value: Target) -> str | int | float | None:
    """Return what a table's cell says of a target; None where it cannot say it."""
    return value if isinstance(value, str | int | float) else _place(folder, value)


def _place(folder: Path, item: Target) -> str | None:
    """Return where a file lies, from the folder; None for what is not one whole file that means what it holds."""
    if not isinstance(item, Ref) or len(item.paths) != 1 or item.member is not None or item.index is not None:
        return None
    if item.values:
        return None
    return Path(os.path.relpath(item.paths[0].resolve(), folder.resolve())).as_posix()


def _write_names(folder: Path, cohort: Cohort) -> None:
    """Write what masks' values mean, where they all mean the same."""
    files = {name for case in cohort.cases for name, value in case.targets.items() if isinstance(value, Ref)}
    masks = [t for t in cohort.targets.values() if t.name in files and t.labels]
    if masks and all(t.labels == masks[0].labels and t.ignore == masks[0].ignore for t in masks):
        names = {"background": 0, **{x.name: x.value for x in masks[0].labels}}
        names |= {"ignore": masks[0].ignore[0]} if len(masks[0].ignore) == 1 else {}
        about = {"labels": names, "masks": [t.name for t in masks]}
        write_text(folder / "dataset.json", json.dumps(about, indent=1) + "\n")


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    table = csv.DictWriter(text, list(columns), lineterminator="\n", restval="")
    table.writeheader()
    table.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    return text.getvalue()


def _removed(folder: Path, there: bool) -> None:
    """Take away what was written; a folder that was there before stays, empty as it was."""
    with output_errors(folder):
        shutil.rmtree(folder)
        if there:
            folder.mkdir()
