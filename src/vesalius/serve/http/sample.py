"""A sample study for people who have none at hand: a phantom's, so of nobody, and what is known to be true of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vesalius import cohorts
from vesalius.core import registry
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, Label
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.learned import Learned
from vesalius.phantom import DEFAULT, make
from vesalius.prepare.case import load_mask
from vesalius.serve.http.uploads import Received, stored_path

KNOWN = "the phantom's own"
SEED = 1543  # another than people give, so that no model learned from this patient
_GRID = (64, 160, 160)  # (Z, Y, X): fine enough to look at, made in a second or two
_LEAST, _MOST = 16, 192  # along an axis, whatever a model learned from


@dataclass(frozen=True)
class Sample:
    """A phantom's files as an upload, its covariates, and its true labels on its image where it has any."""

    files: tuple[Received, ...]
    covariates: Mapping[str, float | str | None]
    truth: Image | None
    labels: tuple[Label, ...]


def recipe(
    *, flat: bool, learned: Learned | None = None, kind: str = DEFAULT
) -> tuple[str, dict[str, object]]:
    """Return the format and the options of a phantom that suits a model: a picture where `flat`, or else a volume.

    Where the phantom has a size, it is in the middle of what the model learned from, as `learned` has it.
    """
    said = registry.literals("phantom", kind)
    wanted = "png" if flat else "dicom"
    form = wanted if wanted in said["FORMATS"] else said["FORMATS"][0]
    sized = "size" in said.get("OPTIONS", {})
    return form, {"size": _grid(learned, flat=flat)} if sized else {}


def make_sample(folder: Path, form: str, options: Mapping[str, object], *, kind: str = DEFAULT) -> Sample:
    """Write a phantom's study into a study's folder, as `recipe` says; the same recipe gives the same bytes.

    Raises OutputError; DataError for a phantom without an image.
    """
    root = folder / "made"
    try:
        make(root, kind=kind, cases=1, seed=SEED, format=form, options=options)
        cohort = cohorts.read(root)
        case = cohort.cases[0]
        if not isinstance(case.image, Ref):
            raise DataError(f"the phantom {kind} has no image")
        files = []
        for k, path in enumerate(case.image.paths):
            goal = stored_path(folder, k, path.name)
            shutil.move(path, goal)
            files.append(Received("files", path.name, goal, goal.stat().st_size))
        truth, labels = _truth(cohort, case)
        return Sample(tuple(files), dict(case.covariates), truth, labels)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _grid(learned: Learned | None, *, flat: bool) -> tuple[int, int, int]:
    """Return the grid `(Z, Y, X)` in the middle of what a model learned from; of pictures the volume has our depth."""
    if learned is None:
        return _GRID
    z, y, x = (min(_MOST, max(_LEAST, round((low + high) / 2))) for low, high in learned.size)
    return (_GRID[0] if flat else z, y, x)


def _truth(cohort: Cohort, case: Case) -> tuple[Image | None, tuple[Label, ...]]:
    """Return the true labels of a case's image, read, with what they are called; nothing where there are none."""
    for name, info in cohort.targets.items():
        drawn = case.targets.get(name)
        if isinstance(drawn, Ref):
            return load_mask(drawn), info.labels
    return None, ()
