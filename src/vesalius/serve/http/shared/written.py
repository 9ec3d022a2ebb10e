"""A study as JSON that another process reads as the same study: its files by their places in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vesalius.core.case import Case, Ref
from vesalius.core.errors import DataError
from vesalius.core.learned import Seen
from vesalius.serve.http.study import StoredCase, UploadedStudy


def study_text(study: UploadedStudy) -> str:
    """Return a study as JSON. Raises DataError for one that would not be read as the same."""
    text = json.dumps(
        {
            "id": study.id,
            "owner": study.owner,
            "cases": [case_json(case, study.folder) for case in study.cases],
            "set_aside": [list(pair) for pair in study.set_aside],
            "size": study.size,
            "labels": {_within(Path(path), study.folder): label for path, label in study.labels.items()},
            "created": study.created,
            "made": study.made,
        }
    )
    plain = replace(study, cases=tuple(replace(case, about=_plain(case.about)) for case in study.cases))
    if read_study(text, study.folder.parent) != plain:
        raise DataError("a study that several processes cannot share", found=study.id)
    return text


def read_study(text: str, studies: Path) -> UploadedStudy:
    """Return the study that `study_text` made a text of; `studies` is the folder of all studies here."""
    said = json.loads(text)
    folder = studies / said["id"]
    return UploadedStudy(
        said["id"],
        said["owner"],
        folder,
        tuple(read_case(one, folder) for one in said["cases"]),
        tuple((name, reason) for name, reason in said["set_aside"]),
        said["size"],
        {str(folder / path): label for path, label in said["labels"].items()},
        said["created"],
        said["made"],
    )


def case_json(case: StoredCase, folder: Path) -> dict[str, Any]:
    """Return a case of a study in `folder` as JSON. Raises DataError for one that would not be read as the same."""
    own = case.case
    said = {
        "id": case.id,
        "name": case.name,
        "dicom": case.dicom,
        "about": dict(case.about),
        "seen": None if case.seen is None else asdict(case.seen),
        "called": own.id,
        "images": {name: _ref_json(image, folder) for name, image in own.images.items()},
        "reference": own.reference,
        "covariates": dict(own.covariates),
        "registered": own.registered,
        "declared": list(own.declared),
    }
    if read_case(json.loads(json.dumps(said)), folder) != replace(case, about=_plain(case.about)):
        raise DataError("a case that several processes cannot share", found=case.id)
    return said


def read_case(said: Mapping[str, Any], folder: Path) -> StoredCase:
    """Return the case that `case_json` made a JSON of."""
    images = {name: _read_ref(one, folder) for name, one in said["images"].items()}
    case = Case(
        said["called"],
        images,
        said["reference"],
        covariates=said["covariates"],
        registered=said["registered"],
        declared=tuple(said["declared"]),
    )
    seen = None if said["seen"] is None else Seen(**{k: _tuple(v) for k, v in said["seen"].items()})
    return StoredCase(said["id"], said["name"], case, said["dicom"], said["about"], seen)


def _ref_json(image: object, folder: Path) -> dict[str, Any]:
    if not isinstance(image, Ref):
        raise DataError("an image that lies in no file cannot be shared between processes")
    return {
        "paths": [_within(path, folder) for path in image.paths],
        "member": image.member,
        "index": image.index,
        "part": image.part,
        "values": [list(pair) for pair in image.values],
    }


def _read_ref(said: Mapping[str, Any], folder: Path) -> Ref:
    paths = tuple(folder / path for path in said["paths"])
    values = tuple((a, b) for a, b in said["values"])
    return Ref(paths, said["member"], said["index"], said["part"], values)


def _within(path: Path, folder: Path) -> str:
    if not path.is_relative_to(folder):
        raise DataError("a file outside of its study's folder cannot be shared between processes")
    return path.relative_to(folder).as_posix()


def _plain(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a case as it is after JSON, which has lists alone."""
    found: dict[str, Any] = json.loads(json.dumps(dict(about)))
    return found


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
