"""Writing a cohort of phantoms to a folder: images, masks, experts' drawings, a table and truth.json."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any, Literal

from vesalius.core.disk import new_folder, output_errors, write_text
from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.core.progress import Progress, Silent
from vesalius.phantom.dicom import dicom_files
from vesalius.phantom.nifti import nifti_gz
from vesalius.phantom.picture import png, windowed
from vesalius.phantom.readme import readme
from vesalius.phantom.study import LABELS, Shape, Study, patient, shape_of
from vesalius.phantom.survival import ASSIGNMENTS, Assignment
from vesalius.phantom.truth import case_truth, cohort_truth

Kind = Literal["nifti", "png", "dicom"]
KINDS: tuple[Kind, ...] = ("nifti", "png", "dicom")
Row = dict[str, Any]


def make(
    out: Path | str,
    *,
    cases: int = 60,
    seed: int = 0,
    size: Literal["small", "full"] | Shape = "small",
    write: Kind = "nifti",
    assignment: Assignment = "randomised",
    progress: Progress | None = None,
) -> Path:
    """Write a synthetic cohort to the new folder `out` and return it. The same arguments, the same bytes.

    `nifti`  volumes: `imagesTr/`, `labelsTr/` and `dataset.json` as in the Medical Segmentation Decathlon
    `png`    the key axial slice: `classes/<class>/` and `pairs/images/`, `pairs/masks/`
    `dicom`  one CT series a patient under `dicom/`, masks as NIfTI in `masks/`

    In each, `cohort.csv` names every case's image, mask, class, covariates, treatment, time, event and report,
    `dataset.json` the labels of the masks,
    `experts/` holds three readers' drawings, `truth.json` all that is known, and `README.md` says what is what.
    Case i does not depend on the number of cases.

    Raises OutputError where `out` holds something or cannot be written (what was begun is removed),
    UnknownName or GeometryError for a wrong argument, DataError for no cases.
    """
    if write not in KINDS:
        raise UnknownName("phantom format", write, KINDS)
    if assignment not in ASSIGNMENTS:
        raise UnknownName("treatment assignment", assignment, ASSIGNMENTS)
    shape_of(size)
    if cases < 1 or seed < 0:
        raise DataError(
            "a phantom cohort needs cases, and a seed ≥ 0",
            found=f"{cases} cases, seed {seed}",
            hint="60 cases",
        )
    told = progress or Silent()
    root = new_folder(Path(out), default="phantom")
    rows: list[Row] = []
    truths: list[Row] = []
    told.start("phantom", cases)
    try:
        for index in range(cases):
            study = patient(index, seed, size=size, assignment=assignment)
            rows.append(_row(study, _WRITERS[write](root, study)))
            truths.append(case_truth(study))
            told.advance("phantom")
        write_text(root / "dataset.json", _json(_decathlon(rows) if write == "nifti" else _named()))
        write_text(root / "cohort.csv", _csv(rows))
        write_text(root / "experts" / "experts.csv", _csv(_expert_rows(truths, write)))
        write_text(root / "README.md", readme(write, cases=cases, seed=seed, assignment=assignment))
        write_text(root / "truth.json", _json(cohort_truth(seed, assignment) | {"cases": truths}))
    except OutputError:
        shutil.rmtree(root, ignore_errors=True)
        raise
    told.finish("phantom")
    return root


def _put(path: Path, data: bytes) -> None:
    """Write one of many files; that truth.json comes last says whether all of them are there."""
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _write_nifti(root: Path, study: Study) -> Row:
    image, mask = f"imagesTr/{study.id}.nii.gz", f"labelsTr/{study.id}.nii.gz"
    _put(root / image, nifti_gz(study.image, study.affine))
    _put(root / mask, nifti_gz(study.labels, study.affine))
    _write_experts(root, study)
    return {"image": image, "mask": mask}


def _write_png(root: Path, study: Study) -> Row:
    k, name = study.key_slice, f"{study.id}.png"
    image, mask = f"classes/{study.diagnosis}/{name}", f"pairs/masks/{name}"
    picture = png(windowed(study.image[k]))
    _put(root / image, picture)
    _put(root / "pairs" / "images" / name, picture)
    _put(root / mask, png(study.labels[k]))
    for drawing in study.experts:
        _put(root / "experts" / drawing.skill.name / name, png(drawing.mask[k]))
    return {"image": image, "mask": mask}


def _write_dicom(root: Path, study: Study) -> Row:
    folder, mask = f"dicom/{study.patient}", f"masks/{study.id}.nii.gz"
    for name, data in dicom_files(study):
        _put(root / folder / name, data)
    _put(root / mask, nifti_gz(study.labels, study.affine))
    _write_experts(root, study)
    return {"image": folder, "mask": mask}


def _write_experts(root: Path, study: Study) -> None:
    for drawing in study.experts:
        path = root / "experts" / drawing.skill.name / f"{study.id}.nii.gz"
        _put(path, nifti_gz(drawing.mask, study.affine))


_WRITERS = {"nifti": _write_nifti, "png": _write_png, "dicom": _write_dicom}


def _row(study: Study, files: Row) -> Row:
    person, outcome = study.person, study.outcome
    return {
        "case": study.id,
        "patient": study.patient,
        **files,
        "class": study.diagnosis,
        "age": person.age_years,
        "sex": person.sex,
        "bmi": person.bmi,
        "tumour_stage": outcome.stage,
        "marker": outcome.marker,
        "treatment": int(outcome.treated),
        "time_days": outcome.time_days,
        "event": int(outcome.event),
        "report": study.report_text,
    }


def _expert_rows(truths: list[Row], write: Kind) -> list[Row]:
    suffix = ".png" if write == "png" else ".nii.gz"
    return [
        {
            "case": truth["id"],
            "expert": drawn["name"],
            "mask": f"{drawn['name']}/{truth['id']}{suffix}",
            "class": drawn["verdict"],
        }
        for truth in truths
        for drawn in truth["experts"]
    ]


def _named() -> Row:
    """What the values of masks mean, beside a table that names them."""
    return {
        "name": "Vesalius phantom",
        "description": "synthetic abdominal CT whose truth is known",
        "labels": {"0": "background"} | {str(value): name for name, value in LABELS.items()},
    }


def _decathlon(rows: list[Row]) -> Row:
    return {
        **_named(),
        "tensorImageSize": "3D",
        "modality": {"0": "CT"},
        "numTraining": len(rows),
        "numTest": 0,
        "training": [{"image": f"./{row['image']}", "label": f"./{row['mask']}"} for row in rows],
        "test": [],
    }


def _csv(rows: list[Row]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1) + "\n"
