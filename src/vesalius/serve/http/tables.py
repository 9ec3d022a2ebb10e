"""Models of a table and patients without an image: what such a model asks for, and a study that holds no image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.core.case import Case
from vesalius.dicom.identity import UNKNOWN
from vesalius.infer.predictor import Predictor
from vesalius.plan.tables import IMAGELESS
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.study import StoredCase, UploadedStudy

NAME = "without an image"
HINT = 'POST /api/predict with the field covariates, {"age": 61, "sex": "F"}, and no file'


def reads_table(predictor: Predictor) -> bool:
    """Return whether a model reads the columns of a table and looks at no image."""
    last = predictor.stages[-1]
    bare = bool(last.stage.plan.fingerprint.get(IMAGELESS))
    return bare and not last.task.sources(last.stage.state)


def columns_of(predictor: Predictor) -> list[dict[str, Any]]:
    """Return what is known to a model beside images, as clients are told of it: which values each column may have.

    `values` are the words that it learned from, `low` and `high` the ends of its numbers; None where nobody knows.
    """
    last = predictor.stages[-1]
    held = last.stage.state.values.get("covariates")
    learned = held if isinstance(held, Mapping) else {}
    needed = predictor.needs
    return [
        {
            "name": name,
            "needed": name in needed,
            "values": _of(learned, name, "values"),
            "low": _of(learned, name, "low"),
            "high": _of(learned, name, "high"),
        }
        for name in last.task.known_covariates(last.stage.state)
    ]


def blank_case(case_id: str = "c1") -> StoredCase:
    """Return a case of which no image is there, as the service keeps it."""
    about = {
        "shape": [1, 1, 1],
        "spacing_mm": None,
        "modality": None,
        "description": "",
        "unit": None,
        "spacing_at": None,
        "orientation_known": False,
        "frames": 1,
        "frame_s": None,
        "times_s": None,
        "channels": 1,
        "colour": False,
        "source": "none",
        "display": {},
        **UNKNOWN,
        "notes": [],
    }
    return StoredCase(case_id, NAME, Case(case_id, {}, reference=None), False, about)


def assert_image(case: StoredCase) -> None:
    """Raise Problem 404 for a case of which no image is there."""
    if not case.case.images:
        raise Problem(404, "this case has no image")


def assert_fits(name: str, *, table: bool, case: StoredCase) -> None:
    """Raise Problem 422 where a model of a table is asked about an image, or one of images about a case without any."""
    if table and case.case.images:
        raise Problem(422, f"'{name}' reads the columns of a table and looks at no image", hint=HINT)
    if not table and not case.case.images:
        raise Problem(422, f"'{name}' looks at an image", found="a case without any", hint="upload its image")


def blank_study(begun: UploadedStudy) -> UploadedStudy:
    """Return a study of one patient without an image."""
    return UploadedStudy(begun.id, begun.owner, begun.folder, (blank_case(),), (), 0)


def _of(learned: Mapping[str, Any], name: str, what: str) -> Any:
    about = learned.get(name)
    return about.get(what) if isinstance(about, Mapping) else None
