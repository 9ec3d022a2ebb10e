"""What `harmonise` writes: harmonised images or features with their table, and what was learned, in a new folder."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.core.cohort import Cohort
from vesalius.core.disk import new_folder, output_errors, write_text
from vesalius.core.errors import DataError
from vesalius.core.file_names import file_names
from vesalius.core.plan import HarmonisePlan, HarmoniseStep
from vesalius.core.progress import Progress, track
from vesalius.prepare import harmonise
from vesalius.prepare.case import frame, load
from vesalius.prepare.harmonise import combat
from vesalius.run.harmonise_features import Table

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
) -> Path:
    """Write every case's named images after fitted steps as NIfTI, a table of the cases, and the steps.

    Raises DataError for images with a time axis, OutputError where `out` holds something; then nothing is left there.
    """
    there = out.exists()
    folder = new_folder(out, default="harmonised")
    try:
        rows = []
        stems = file_names([c.id for c in cohort.cases])
        for case in track(cohort.cases, progress, "write", len(cohort.cases)):
            row: dict[str, Any] = {"case": case.id, "patient": case.patient or case.id}
            for name in images:
                if name not in case.images:
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
            row |= {n: v for n, v in case.targets.items() if isinstance(v, str | int | float)}
            rows.append(row | {n: v for n, v in case.covariates.items() if n not in row})
        write_text(folder / "cohort.csv", _csv(rows))
        plan = HarmonisePlan(steps=tuple(steps), by=by, threshold=threshold)
        write_text(folder / RECORD, plan.model_dump_json(indent=1) + "\n")
    except BaseException:
        _removed(folder, there)
        raise
    return folder


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
            ids = {"case": case.id, "patient": case.patient or case.id, by: site}
            rows.append({**ids, **said, **own, **dict(zip(table.columns, values, strict=True))})
        write_text(folder / "features.csv", _csv(rows))
        record = {"method": "combat", "by": by, "columns": list(table.columns), **learned.json()}
        write_text(folder / RECORD, json.dumps(record, indent=1) + "\n")
    except BaseException:
        _removed(folder, there)
        raise
    return folder


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
