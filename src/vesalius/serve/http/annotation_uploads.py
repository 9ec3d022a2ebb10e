"""A reading as it comes over HTTP: JSON, or a form with the mask as a file; checked against its case's image."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from vesalius import formats
from vesalius.core import grids
from vesalius.core.case import Ref
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.header import Header
from vesalius.core.image import Array
from vesalius.run.annotation.asks import kind_of
from vesalius.run.annotation.project import Project
from vesalius.serve.http import uploads
from vesalius.serve.http.annotation_schemas import ReadingRequest
from vesalius.serve.http.problems import Problem, error_body, validation_problem
from vesalius.serve.http.service import Service
from vesalius.serve.http.uploads import Received

_FIELD, _FILE = "annotation", "mask"
_JSON_BYTES = 64 << 20  # of a mask as runs


@dataclass(frozen=True, eq=False)
class Said:
    """What was sent: the request, and what it says by kind as a reading keeps it; of what is drawn the arrays."""

    asked: ReadingRequest
    content: Mapping[str, Any]
    drawn: Mapping[str, Array]


async def receive_reading(request: Request, service: Service, project: Project, grid: Header) -> Said:
    """Read and check what was sent. Raises Problem 413, 415, 422."""
    if not request.headers.get("content-type", "").startswith("multipart/"):
        asked = _parsed(await request.body())
        return await run_in_threadpool(checked_reading, asked, project, grid, None)
    folder = service.root / "annotation" / secrets.token_hex(8)
    folder.mkdir(parents=True, mode=0o700)
    try:
        form = await uploads.receive(request, folder, service.bounds, service.studies.check_room)
        if _FIELD not in form.fields or len(form.files) > 1 or any(f.field != _FILE for f in form.files):
            raise Problem(
                422, f"a form of a reading has the field '{_FIELD}', and the file '{_FILE}' at most"
            )
        asked = _parsed(form.fields[_FIELD].encode())
        drawn = await run_in_threadpool(mask_in, form.files[0], grid) if form.files else None
        return await run_in_threadpool(checked_reading, asked, project, grid, drawn)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parsed(body: bytes) -> ReadingRequest:
    try:
        return ReadingRequest.model_validate_json(body)
    except ValidationError as error:
        raise validation_problem({**error.errors()[0], "loc": ("body", *error.errors()[0]["loc"])}) from error


def checked_reading(asked: ReadingRequest, project: Project, grid: Header, drawn: Any) -> Said:
    """Return what is said by kind. Raises Problem 422 for what is not asked, cannot be, or is missing when done."""
    said = dict(asked.content)
    if drawn is not None:
        if _FILE in said:
            raise Problem(422, "the mask is there twice", found="a file and content.mask", hint="one of them")
        said[_FILE] = drawn
    strange = sorted(set(said) - {ask.kind for ask in project.asks})
    if strange:
        raise Problem(422, "this project does not ask for that", found=strange[0])
    content: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for ask in project.asks:
        value = said.get(ask.kind)
        if value is None:
            if asked.done:
                raise Problem(422, "a reading that is done answers all that is asked", found=f"no {ask.kind}")
            continue
        kind = kind_of(ask.kind)
        try:
            checked = kind.checked(value, ask.labels, grid)
        except DataError as error:
            raise Problem(422, error.what, found=error.found, hint=error.hint) from error
        (arrays if kind.drawn else content)[ask.kind] = checked
    return Said(asked, content, arrays)


def mask_in(item: Received, grid: Header) -> Any:
    """Return the mask in a file: runs in JSON, or an array on the image's grid. Raises Problem 422.

    Its size is compared before its pixels are decoded, so that a small file cannot ask for much memory.
    """
    if item.label.lower().endswith(".json"):
        return _runs(item.path)
    moved = uploads.with_suffix(item)
    try:
        fault = grids.mask_fault(grid, formats.header(moved.path))
        found = None if fault else formats.read_mask(Ref((moved.path,)))
    except VesaliusError as error:
        said = {k: v and v.replace(str(moved.path), item.label) for k, v in error_body(error).items()}
        raise Problem(422, str(said["error"]), found=said["found"], hint=said["hint"]) from error
    if found is None:
        raise Problem(
            422, "the mask has another grid than its image", found=fault, hint="a mask drawn on this image"
        )
    return found.array[0]


def _runs(path: Path) -> Any:
    if path.stat().st_size > _JSON_BYTES:
        raise Problem(413, "a mask that is too large", hint=f"at most {_JSON_BYTES:,} bytes, or as NIfTI")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Problem(422, "the mask is not JSON that can be read") from error
