"""A job about two visits: the later case is answered as ever, and what changed since the earlier one lies beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius import formats
from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.disk import write_text
from vesalius.core.image import Image
from vesalius.infer.predictor import Predictor
from vesalius.run.change.comparing import compared
from vesalius.run.change.page import page
from vesalius.run.change.result import Change
from vesalius.run.change.written import as_json
from vesalius.serve.http import display, results
from vesalius.serve.http.study import StoredCase, UploadedStudy

PAGE, FILE, IMAGE = "change.html", "change.json", "earlier.image.nii.gz"
LEAD = "earlier."


@dataclass(frozen=True, eq=False)
class EarlierVisit:
    """The earlier visit that a job is to compare with, and how: see `verbs/change.py`."""

    study: UploadedStudy
    case: StoredCase
    days: float | None = None
    registration: str | None = None
    accept: bool = False


def changed(
    predictor: Predictor, earlier: EarlierVisit, later: Case, folder: Path, *, watch: Callable[[float], None]
) -> Answer:
    """Return the later visit's answer, and write what changed since the earlier one into a folder.

    Raises what comparing two visits raises, OutputError for a full disk.
    """
    before = replace(earlier.case.case, covariates={**later.covariates, **earlier.case.case.covariates})
    found = compared(
        predictor,
        before,
        later,
        days=earlier.days,
        registration=earlier.registration,
        accept=earlier.accept,
        watch=watch,
    )
    shown = _named(found, earlier, later)
    folder.mkdir(exist_ok=True)
    with results.DRAWING:
        text = page(shown)
    write_text(folder / PAGE, text)
    carried = found.carried()
    answer = found.answers[0] if carried is None else carried
    _write_earlier(found, answer, folder, carried=carried is not None)
    held = found.answers[0].withheld is not None
    outline = {
        "kind": type(answer).__name__,
        "answer": {} if held else results.outline(answer),
        "summary": results.summary(found.answers[0]),
    }
    write_text(folder / FILE, as_json({**shown.json(), "earlier": outline}))
    return found.answers[1]


def written(folder: Path) -> dict[str, Path]:
    """Return the files of a change that lie in a case's folder, by the names that clients know them by."""
    found = {name: folder / name for name in (PAGE, FILE) if (folder / name).is_file()}
    return found | {path.name: path for path in sorted(folder.glob(f"{LEAD}*"))}


def said(folder: Path) -> dict[str, Any] | None:
    """Return what is said of a change in the answer's summary; None of another job."""
    path = folder / FILE
    if not path.is_file():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def _named(found: Change, earlier: EarlierVisit, later: Case) -> Change:
    """Return a change whose visits are called as the client calls them."""
    one, two = found.visits
    return replace(found, visits=(replace(one, case=earlier.case.name), two), patient="")


def _write_earlier(found: Change, answer: Answer, folder: Path, *, carried: bool) -> None:
    """Write the earlier image, and what of its answer is one, as they lie on the later image; else as they are."""
    between = found.between
    if between is None:
        return
    image = between.earlier
    if carried:
        image = between.carried(_first(image), order=1, fill=float(image.array.min()))
    display.volume(image, folder / IMAGE)
    for part, one in contract.images(answer) if answer.withheld is None else ():
        kind = type(one).__name__.lower()
        name = f"{LEAD}{part}.{kind}.nii.gz" if part else f"{LEAD}{kind}.nii.gz"
        formats.write(one, folder / name, source=image)


def _first(image: Image) -> Image:
    return image if image.times_s is None else replace(image, array=image.array[0], times_s=None)
