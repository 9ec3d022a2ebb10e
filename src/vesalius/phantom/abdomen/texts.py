"""The text files of a cohort: dataset.json, the readers' table, README.md, and what truth.json says of all cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vesalius.phantom.abdomen.experts import EXPERT_LABELS, GRAIN_MM, SKILLS
from vesalius.phantom.abdomen.patient import LABELS
from vesalius.phantom.abdomen.readme import readme
from vesalius.phantom.abdomen.survival import Formulas
from vesalius.phantom.common import tables
from vesalius.phantom.common.output import as_csv, as_json
from vesalius.phantom.contract import Recipe, Row


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> dict[str, str]:
    """Return the text files of a cohort by their path."""
    return {
        "dataset.json": as_json(_decathlon(rows) if recipe.format == "nifti" else _named()),
        **_boxes(recipe, truths),
        "experts/experts.csv": as_csv(_expert_rows(truths, recipe.format)),
        "README.md": readme(
            recipe.format,
            cases=recipe.cases,
            seed=recipe.seed,
            assignment=recipe.options["assignment"],
            boxes=bool(_boxes(recipe, truths)),
        ),
    }


def _boxes(recipe: Recipe, truths: Sequence[Row]) -> dict[str, str]:
    """Return `boxes.csv`, a row a lesion with its diameter, where a cohort has many of them and holds volumes."""
    if recipe.options["lesions"] != "many" or recipe.format == "png":
        return {}
    rows = [
        tables.row(truth["id"], lesion["kind"], *lesion["box_zyx"]) | {"diameter_mm": lesion["diameter_mm"]}
        for truth in truths
        for lesion in truth["lesions"]
    ]
    return {"boxes.csv": as_csv(rows, columns=(*tables.COLUMNS, "diameter_mm"))}


def cohort_truth(recipe: Recipe) -> dict[str, Any]:
    """Return what holds for the whole cohort: labels, formulas and how treatment was assigned."""
    return {
        "made_by": "vesalius.phantom",
        "seed": recipe.seed,
        "labels": dict(LABELS),
        "assignment": recipe.options["assignment"],
        **({"lesions": "many"} if recipe.options["lesions"] == "many" else {}),
        "survival": Formulas().stated(),
        "experts": {
            "labels": dict(EXPERT_LABELS),
            "grain_mm": GRAIN_MM,
            "skills": [asdict(skill) for skill in SKILLS],
        },
    }


def _expert_rows(truths: Sequence[Row], format: str) -> list[Row]:
    suffix = ".png" if format == "png" else ".nii.gz"
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
    """Return what the values of masks mean, to stand beside a table that names the masks."""
    return {
        "name": "Vesalius phantom",
        "description": "synthetic abdominal CT whose truth is known",
        "labels": {"0": "background"} | {str(value): name for name, value in LABELS.items()},
    }


def _decathlon(rows: Sequence[Row]) -> Row:
    return {
        **_named(),
        "tensorImageSize": "3D",
        "modality": {"0": "CT"},
        "numTraining": len(rows),
        "numTest": 0,
        "training": [{"image": f"./{row['image']}", "label": f"./{row['mask']}"} for row in rows],
        "test": [],
    }
