"""The content hash of a cohort: the same data in another place, under the same names, has the same hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path

import numpy as np

from vesalius.core.archive import sha256
from vesalius.core.case import Case, InstanceMask, Ref, Target
from vesalius.core.course import Course
from vesalius.core.image import Image
from vesalius.core.outlines import Outlines


def case_digest(case: Case, files: dict[Path, str]) -> str:
    """Return hex SHA-256 over a case's files' bytes and all that is known of it; never over paths.

    `files` keeps the digest of files that several cases share: an npz, and all those of earlier visits.
    """
    return _digest(case, files, keep=bool(case.earlier))


def _digest(case: Case, files: dict[Path, str], *, keep: bool) -> str:
    parts: dict[str, object] = {
        "images": {name: _pixels(item, files, keep=keep) for name, item in case.images.items()},
        "targets": {
            name: _target(value, files)
            for name, value in case.targets.items()
            if not isinstance(value, Mapping)  # it is made of others that are here
        },
        "region": None if case.region is None else _pixels(case.region, files),
        "patient": case.patient,
        "covariates": dict(case.covariates),
        "report": case.report,
    }
    more = {
        "texts": dict(case.texts),
        "prompts": [asdict(p) for p in case.prompts],
        "earlier": [[_digest(v.case, files, keep=True), v.days_before] for v in case.earlier],
        "group": case.group,
        "courses": {name: _course(item, files) for name, item in case.courses.items()},
        "findings": None if case.findings is None else [[asdict(f) for f in case.findings]],
    }
    parts |= {name: value for name, value in more.items() if value}  # cases of before keep their digests
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _pixels(item: Ref | Image, files: dict[Path, str], *, keep: bool = False) -> list[object]:
    if isinstance(item, Image):
        affine = None if item.affine is None else item.affine.tolist()
        bytes_ = np.ascontiguousarray(item.array).tobytes()
        return [hashlib.sha256(bytes_).hexdigest(), str(item.array.dtype), list(item.array.shape), affine]
    digests = []
    for path in item.paths:
        shared = item.member is not None or item.index is not None
        digest = files.get(path) if shared or keep else None
        if digest is None:
            digest = sha256(path)
            if shared or keep:
                files[path] = digest
        digests.append(digest)
    return [*digests, item.member, item.index]


def _course(item: Ref | Course, files: dict[Path, str]) -> list[object]:
    if isinstance(item, Ref):
        return _pixels(item, files)
    values = np.ascontiguousarray(item.values, np.float64).tobytes()
    said: list[object] = [hashlib.sha256(values).hexdigest(), list(item.names), list(item.times), item.unit]
    return [*said, list(item.parents)] if item.parents else said


def _target(value: Target, files: dict[Path, str]) -> object:
    if isinstance(value, (Ref, Image)):
        return _pixels(value, files)
    if isinstance(value, InstanceMask):
        ids = asdict(value.ids) if isinstance(value.ids, Outlines) else _pixels(value.ids, files)
        return [ids, sorted(value.labels.items()), value.otherwise, sorted(value.crowd)]
    return [_fields(v) for v in value] if isinstance(value, tuple) else _fields(value)


def _fields(value: object) -> object:
    """Return the fields of a dataclass, later ones only where they say something, and anything else as it is."""
    if not is_dataclass(value) or isinstance(value, type):
        return value
    later = {f.name for f in fields(value) if f.metadata.get("stored") == "where given"}
    return {name: v for name, v in asdict(value).items() if name not in later or v not in (None, False)}
