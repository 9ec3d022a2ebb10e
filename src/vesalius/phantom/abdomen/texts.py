"""The text files of a cohort: dataset.json, the readers' table, README.md, and what truth.json says of all cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from vesalius.phantom.abdomen.design import Design
from vesalius.phantom.abdomen.effects import described, effects
from vesalius.phantom.abdomen.experts import EXPERT_LABELS, GRAIN_MM, SKILLS
from vesalius.phantom.abdomen.further import Further
from vesalius.phantom.abdomen.patient import LABELS
from vesalius.phantom.abdomen.readme import readme
from vesalius.phantom.abdomen.survival import Formulas
from vesalius.phantom.common import tables
from vesalius.phantom.common.output import as_csv, as_json
from vesalius.phantom.contract import Recipe, Row


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> dict[str, str]:
    """Return the text files of a cohort by their path."""
    design, tables = _design(recipe), bool(recipe.options["tables"])
    boxes = {} if tables else _boxes(recipe, truths)
    told = readme(
        "table" if tables else recipe.format,
        cases=recipe.cases,
        seed=recipe.seed,
        assignment=design.assignment,
        boxes=bool(boxes),
        columns=None if _of_before(recipe) else described(rows[0], design),
        effects="" if _of_before(recipe) else effects(truths, design),
    )
    if tables:
        return {"README.md": told}
    listed = recipe.format == "nifti" and not boxes  # a layout that is listed there has no place for boxes
    return {
        "dataset.json": as_json(_decathlon(rows) if listed else _named()),
        **boxes,
        "experts/experts.csv": as_csv(_expert_rows(truths, recipe.format)),
        "README.md": told,
    }


def _design(recipe: Recipe) -> Design:
    """Return how the patients of a cohort were treated and followed."""
    return Design(**{one.name: recipe.options[one.name] for one in fields(Design)})


def _of_before(recipe: Recipe) -> bool:
    """Whether it is a cohort as it was before there were other designs, whose texts stay to the byte."""
    return _design(recipe).usual and recipe.options["clinic"] == "full" and not recipe.options["tables"]


def _boxes(recipe: Recipe, truths: Sequence[Row]) -> dict[str, str]:
    """Return `boxes.csv`, a row a lesion with its diameter, where a cohort has many of them and holds volumes."""
    if recipe.options["lesions"] != "many" or recipe.format == "png":
        return {}
    return {
        "boxes.csv": tables.boxes_csv(
            {truth["id"]: [_boxed(lesion) for lesion in truth["lesions"]] for truth in truths},
            flat=False,
            more=("diameter_mm",),
        )
    }


def _boxed(lesion: Row) -> Row:
    low, high = lesion["box_zyx"]
    return {"label": lesion["kind"], "low": low, "high": high, "diameter_mm": lesion["diameter_mm"]}


def cohort_truth(recipe: Recipe) -> dict[str, Any]:
    """Return what holds for the whole cohort: labels, formulas and how treatment was assigned."""
    return {
        "made_by": "vesalius.phantom",
        "seed": recipe.seed,
        "labels": dict(LABELS),
        "assignment": recipe.options["assignment"],
        **({"lesions": "many"} if recipe.options["lesions"] == "many" else {}),
        "survival": Formulas().stated(),
        **({} if _of_before(recipe) else _further(recipe)),
        **({} if recipe.options["tables"] else {"experts": _experts()}),
    }


def _further(recipe: Recipe) -> dict[str, Any]:
    """Return the design, what the table holds, and the further formulas."""
    options = recipe.options
    return {
        "design": _design(recipe).stated(),
        "clinic": options["clinic"],
        "tables": options["tables"],
        "further": Further().stated(),
    }


def _experts() -> dict[str, Any]:
    return {
        "labels": dict(EXPERT_LABELS),
        "grain_mm": GRAIN_MM,
        "skills": [asdict(skill) for skill in SKILLS],
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
