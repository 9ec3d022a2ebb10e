"""The plain layout of a cohort, for kinds without one of their own: images/, masks/ and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Case, Event, Ref, Target
from vesalius.core.errors import OutputError
from vesalius.core.image import Image
from vesalius.core.registry import names
from vesalius.phantom.common.nifti import nifti_gz
from vesalius.phantom.common.output import put
from vesalius.phantom.common.picture import png
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient


def write(root: Path, patient: SyntheticPatient, format: str) -> Row:
    """Write a patient's images and masks and return the row of cohort.csv.

    `nifti` writes volumes with one channel as `.nii.gz`, `png` planes of one channel in uint8. A target or covariate
    is a column, a time to event two. Boxes, and targets of further kinds, are in truth.json alone.

    Raises OutputError for pixels that the format does not hold.
    """
    case = patient.as_case()
    row: Row = {"case": case.id, "patient": case.patient or case.id}
    for name, image in case.images.items():
        row[name] = _stored(root, case, f"{name}s", image, format)
    for name, target in case.targets.items():
        row |= _columns(root, case, name, target, format)
    row |= {k: v for k, v in case.covariates.items() if k not in row}
    return row if case.report is None else row | {"report": case.report}


def texts(
    recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row], *, files: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the cohort's README.md, made from its recipe and its columns; `files` says what further files are."""
    further = "".join(f"| `{path}` | {words} |\n" for path, words in (files or {}).items())
    options = ", ".join(f"{name} {value}" for name, value in recipe.options.items()) or "none"
    return {
        "README.md": f"""# A synthetic cohort: {recipe.cases} of the phantom `{recipe.kind}`, whose truth is known

{names("phantom")[recipe.kind]}. Made by `vesalius phantom` from seed {recipe.seed}; options: {options}.
No patient is behind any of it.

| file | what |
|---|---|
| `cohort.csv` | a row a case: {", ".join(f"`{column}`" for column in rows[0])} |
{further}| `truth.json` | all that is known of each case |
"""
    }


def cohort_truth(recipe: Recipe) -> dict[str, Any]:
    """Return what truth.json says of the cohort as a whole: how it was made."""
    return {
        "made_by": "vesalius.phantom",
        "kind": recipe.kind,
        "seed": recipe.seed,
        "options": dict(recipe.options),
    }


def _columns(root: Path, case: Case, name: str, target: Target, format: str) -> Row:
    """Return the columns of one target; a mask is written to a file."""
    if isinstance(target, Event):
        return {"time_days": target.time_days, "event": int(target.happened)}
    if isinstance(target, (Image, Ref)):
        return {name: _stored(root, case, f"{name}s", target, format)}
    if isinstance(target, tuple):
        words = [one for one in target if isinstance(one, str)]
        return {name: "|".join(words)} if len(words) == len(target) else {}
    return {name: target} if isinstance(target, str | int | float) else {}


def _stored(root: Path, case: Case, folder: str, image: Image | Ref, format: str) -> str:
    """Write one image below `root` and return its path there."""
    if isinstance(image, Ref) or image.times_s is not None or image.array.shape[0] != 1:
        found = "a reference" if isinstance(image, Ref) else f"shape {image.array.shape}"
        raise OutputError(
            "a phantom's images are written with one channel and no time",
            found=found,
            hint="a function `write` in the phantom's file",
        )
    volume = image.array[0]  # (Z, Y, X)
    if format == "png":
        if volume.shape[0] != 1 or volume.dtype != np.uint8:
            raise OutputError(
                "a PNG of a phantom holds one plane of uint8", found=f"{volume.dtype} {volume.shape}"
            )
        path, data = f"{folder}/{case.id}.png", png(volume[0])
    else:
        affine = image.affine if image.affine is not None else np.diag([1.0, 1.0, 1.0, 1.0])
        path, data = f"{folder}/{case.id}.nii.gz", nifti_gz(volume, affine)
    put(root / path, data)
    return path
