"""Writing a cohort of phantoms to a folder: every patient's files, cohort.csv, README.md and truth.json."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from vesalius.core.disk import new_folder, write_text
from vesalius.core.errors import DataError
from vesalius.core.progress import Progress
from vesalius.phantom.common import plain
from vesalius.phantom.common.output import as_csv, as_json
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient
from vesalius.phantom.faults import mended, plant, site_of

Write = Callable[[Path, SyntheticPatient, str], Row | Sequence[Row]]
Texts = Callable[[Recipe, Sequence[Row], Sequence[Row]], Mapping[str, str]]


def write_cohort(out: Path, kind: ModuleType, recipe: Recipe, *, progress: Progress) -> Path:
    """Write the cohort that `recipe` describes to the new folder `out` and return it.

    A function that the kind does not have is taken from `common/plain.py`. Case i does not depend on the number of
    cases, but for the faults that are planted once all are drawn. truth.json is written last.

    Raises OutputError where `out` holds something or cannot be written (what was begun is removed), DataError for
    no cases or a negative seed, and what the kind's `patient` raises.
    """
    if recipe.cases < 1 or recipe.seed < 0:
        raise DataError(
            "a phantom cohort needs cases, and a seed ≥ 0",
            found=f"{recipe.cases} cases, seed {recipe.seed}",
            hint="60 cases",
        )
    write: Write = getattr(kind, "write", plain.write)
    texts: Texts = getattr(kind, "texts", plain.texts)
    known: Callable[[Recipe], dict[str, Any]] = getattr(kind, "cohort_truth", plain.cohort_truth)
    left_out = {} if recipe.without is None else {"without": recipe.without}
    draw = kind.twin if left_out else kind.patient
    first = draw(
        0, recipe.seed, **left_out, **recipe.options
    )  # refuses wrong options before a folder is made
    root = new_folder(out, default="phantom")
    rows: list[Row] = []
    truths: list[Row] = []
    progress.start("phantom", recipe.cases)
    try:
        for index in range(recipe.cases):
            one = draw(index, recipe.seed, **left_out, **recipe.options) if index else first
            written = write(root, one, recipe.format)
            rows += [written] if isinstance(written, dict) else written
            truths.append(one.truth())
            progress.advance("phantom")
        site = site_of(root, first.as_case(), rows, truths)
        planted = plant(site, recipe.faults, recipe.seed)
        for name, text in mended(site, planted, texts(recipe, rows, truths)).items():
            write_text(root / name, text)
        write_text(root / "cohort.csv", as_csv(rows))
        wrong = {"faults": [p.truth() for p in planted]} if recipe.faults else {}
        write_text(root / "truth.json", as_json(known(recipe) | left_out | wrong | {"cases": truths}))
    except BaseException:  # whatever ends it, nothing half-written is left
        shutil.rmtree(root, ignore_errors=True)
        raise
    progress.finish("phantom")
    return root
