"""Files of cohorts with reports: images, structures, marks, and the tables of what is true, what is said and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.finding import Finding
from vesalius.core.image import Array
from vesalius.phantom.common import plain, tables
from vesalius.phantom.common.nifti import nifti_gz
from vesalius.phantom.common.output import as_csv, as_json, put
from vesalius.phantom.common.picture import png
from vesalius.phantom.contract import Recipe, Row
from vesalius.phantom.reports.asked import asked_for
from vesalius.phantom.reports.patient import DictatedPatient, Exam
from vesalius.phantom.reports.style import STYLES

COLUMNS = ("case", "finding", "status", "side", "place", "size_mm", "count", "change", "sentence")
NONE = "None"  # of a list of names without any: an empty cell would be one that nobody filled in


def write(root: Path, patient: DictatedPatient, format: str) -> list[Row]:
    """Write the images of a patient's studies, and return a row of cohort.csv a study, the earliest first."""
    return [_row(root, patient, exam, format) for exam in patient.exams]


def _row(root: Path, patient: DictatedPatient, exam: Exam, format: str) -> Row:
    row: Row = {"case": exam.id, "patient": patient.patient}
    if patient.visits:
        row["days"] = exam.days
    stored = {"image": exam.image.array[0], "structures": exam.structures, "marks": exam.marks}
    paths = {name: _stored(root, name, exam, array, format) for name, array in stored.items()}
    row |= {"image": paths["image"], "structures_mask": paths["structures"]}
    row |= {"labels": ";".join(exam.present) or NONE, **exam.covariates}
    if patient.split is not None:
        row["split"] = patient.split
    return row | {"report": exam.written.text}


def _stored(root: Path, name: str, exam: Exam, array: Array, format: str) -> str:
    folder = "images" if name == "image" else name
    if format == "png":
        path, data = f"{folder}/{exam.id}.png", png(array[0])
    else:
        affine = exam.image.affine if exam.image.affine is not None else np.eye(4)
        path, data = f"{folder}/{exam.id}.nii.gz", nifti_gz(array, affine)
    put(root / path, data)
    return path


def texts(
    recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row], labels: Mapping[str, int]
) -> dict[str, str]:
    """Return the README, findings.csv, said.csv, boxes.csv and styles.csv; dataset.json names the structures."""
    exams = [exam for truth in truths for exam in (*truth["earlier"], truth)]
    ending = "png" if recipe.format == "png" else "nii.gz"
    files = {
        f"images/<case>.{ending}": "the image",
        f"structures/<case>.{ending}": f"a label map: {', '.join(f'{v} {k}' for k, v in labels.items())}",
        f"marks/<case>.{ending}": "k + 1 where the k-th row of this case in boxes.csv is seen, k from 0 on",
        "boxes.csv": "a row a thing that is seen, in pixels or voxels from 0 on, the high end excluded; `finding` is "
        "the row of the case in findings.csv, from 0 on",
        "findings.csv": "what is true: a row a finding that is there, and a row a name that is not",
        "said.csv": "what the report says, a row each time that it says it",
        "styles.csv": "which writer wrote which report, and whose sides it exchanged",
    }
    flat = recipe.format == "png"
    boxes = {exam["id"]: [_boxed(place, flat) for place in exam["places"]] for exam in exams}
    return plain.texts(recipe, rows, truths, files=files) | {
        "boxes.csv": tables.boxes_csv(boxes, flat=flat, more=("finding",)),
        "findings.csv": as_csv(_findings(exams, "findings"), columns=COLUMNS),
        "said.csv": as_csv(_findings(exams, "said"), columns=COLUMNS),
        "styles.csv": as_csv([_styled(exam) for exam in exams]),
        "dataset.json": as_json(
            {
                "name": "Vesalius phantom",
                "description": f"synthetic {recipe.kind} with reports whose truth is known",
                "labels": {"0": "background"} | {str(v): k for k, v in labels.items()},
            }
        ),
    }


def cohort_truth(recipe: Recipe) -> dict[str, Any]:
    """Return how the cohort was made, and of each of its writers the share of subtle findings that it doubts."""
    asked = asked_for(*(recipe.options[name] for name in ("styles", "test_styles", "wrong_sides", "earlier")))
    writers = sorted({*asked.styles, *asked.test_styles})
    return plain.cohort_truth(recipe) | {
        "writers": {str(k): {"name": STYLES[k].name, "hedges": STYLES[k].hedges} for k in writers}
    }


def _boxed(place: Row, flat: bool) -> Row:
    low, high = place["box_zyx"]
    start = 1 if flat else 0
    return {
        "label": place["label"],
        "low": [int(v) for v in low[start:]],
        "high": [int(v) for v in high[start:]],
        "finding": place["finding"],
    }


def finding_rows(case: str, findings: Sequence[Finding]) -> list[Row]:
    """Return the rows of findings.csv, or of said.csv, of one case."""
    return [{"case": case, **_cells(asdict(one))} for one in findings]


def _findings(exams: Sequence[Row], which: str) -> list[Row]:
    return [{"case": exam["id"], **_cells(one)} for exam in exams for one in exam[which]]


def _cells(finding: Mapping[str, Any]) -> Row:
    return {
        ("finding" if one.name == "name" else one.name): ""
        if finding.get(one.name) is None
        else finding[one.name]
        for one in fields(Finding)
        if one.name != "code"
    }


def _styled(exam: Row) -> Row:
    wrong = ";".join(str(k) for k in exam["wrong_sides"])
    return {"case": exam["id"], "style": exam["style"], "wrong_sides": wrong}
