"""Writing a cohort of phantoms to a folder: images, masks, a table and truth.json."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Literal

from vesalius.core.disk import new_folder, write_bytes, write_text
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.progress import Progress, Silent
from vesalius.phantom.nifti import nifti_gz
from vesalius.phantom.study import LABELS, Shape, Study, patient, shape_of
from vesalius.phantom.survival import ASSIGNMENTS, Assignment
from vesalius.phantom.truth import case_truth, cohort_truth

Kind = Literal["nifti", "png", "dicom"]
KINDS: tuple[Kind, ...] = ("nifti", "png", "dicom")


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

    `nifti`: `imagesTr/`, `labelsTr/` and `dataset.json` as in the Medical Segmentation Decathlon.
    `cohort.csv` names each case's image, mask, class, covariates, treatment, time and event; `truth.json` holds
    everything that is known. Raises OutputError, UnknownName, GeometryError, or DataError for no cases.
    """
    if write not in KINDS:
        raise UnknownName("phantom format", write, KINDS)
    if assignment not in ASSIGNMENTS:
        raise UnknownName("treatment assignment", assignment, ASSIGNMENTS)
    if cases < 1:
        raise DataError("a cohort needs a case", found=f"{cases} cases", hint="60")
    told = progress or Silent()
    shape_of(size)
    root = new_folder(Path(out), default="phantom")
    rows: list[dict[str, Any]] = []
    truths: list[dict[str, Any]] = []
    told.start("phantom", cases)
    for index in range(cases):
        study = patient(index, seed, size=size, assignment=assignment)
        rows.append({"case": study.id, "patient": study.patient} | _write_nifti(root, study) | _facts(study))
        truths.append(case_truth(study))
        told.advance("phantom")
    told.finish("phantom")
    write_text(root / "dataset.json", _json(_decathlon(rows)))
    write_text(root / "cohort.csv", _csv(rows))
    write_text(root / "truth.json", _json(cohort_truth(seed, assignment) | {"cases": truths}))
    return root


def _write_nifti(root: Path, study: Study) -> dict[str, str]:
    image, mask = f"imagesTr/{study.id}.nii.gz", f"labelsTr/{study.id}.nii.gz"
    write_bytes(root / image, nifti_gz(study.image, study.affine))
    write_bytes(root / mask, nifti_gz(study.labels, study.affine))
    return {"image": image, "mask": mask}


def _facts(study: Study) -> dict[str, Any]:
    covariates = {k: int(v) if k in ("stage", "treatment") else v for k, v in study.covariates.items()}  # type: ignore[arg-type]
    return {
        "class": study.diagnosis,
        **covariates,
        "time_days": study.outcome.time_days,
        "event": int(study.outcome.event),
    }


def _decathlon(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "Vesalius phantom",
        "description": "synthetic abdominal CT whose truth is known",
        "tensorImageSize": "3D",
        "modality": {"0": "CT"},
        "labels": {"0": "background"} | {str(value): name for name, value in LABELS.items()},
        "numTraining": len(rows),
        "numTest": 0,
        "training": [{"image": f"./{row['image']}", "label": f"./{row['mask']}"} for row in rows],
        "test": [],
    }


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1) + "\n"
