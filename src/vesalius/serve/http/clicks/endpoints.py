"""Click to segment over plain HTTP: begin a session, add strokes or change them, take the mask away, end it."""

from __future__ import annotations

import tempfile
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.errors import GeometryError, OutputError
from vesalius.serve.http import results
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.clicks.opening import begun, changed
from vesalius.serve.http.clicks.schemas import ERRORS, BeginRequest, ClickBody, StrokesRequest
from vesalius.serve.http.clicks.session import OBJECT
from vesalius.serve.http.problems import Problem

router = APIRouter(prefix="/api/clicks", tags=["clicks"], responses=ERRORS)
SessionId = Annotated[str, Path(max_length=64)]
LabelName = Annotated[str, Query(min_length=1, max_length=64)]
_FILES = {"mask.nii.gz": ".nii.gz", "seg.dcm": ".seg.dcm"}


@router.post("", status_code=201, response_model=ClickBody)
async def begin(asked: BeginRequest, service: Serving, caller: User) -> Any:
    """Begin a session on an image. Its features stay in memory until it is ended, or rests too long.

    A session that has gone, or that a service knew before it was started anew, is begun again with its `strokes`.
    """
    _, body = await begun(asked, service, caller)
    return body


@router.get("/{session}", response_model=ClickBody)
async def look(session: SessionId, service: Serving, caller: User) -> Any:
    """Return a session's newest mask, whole."""
    found = service.clicks.get(session, caller.name)
    return await run_in_threadpool(found.body)


@router.post("/{session}/strokes", response_model=ClickBody)
async def add(asked: StrokesRequest, session: SessionId, service: Serving, caller: User) -> Any:
    """Answer further strokes. 409 where `version` is not the newest: another page has gone on with the session."""
    found = service.clicks.get(session, caller.name)
    strokes = [s.stroke() for s in asked.strokes]
    return await changed(service, found, strokes, seen=asked.version, further=True)


@router.put("/{session}/strokes", response_model=ClickBody)
async def change(asked: StrokesRequest, session: SessionId, service: Serving, caller: User) -> Any:
    """Answer these strokes in place of all that there were: so one is undone, deleted or made again."""
    found = service.clicks.get(session, caller.name)
    strokes = [s.stroke() for s in asked.strokes]
    return await changed(service, found, strokes, seen=asked.version)


@router.delete("/{session}", status_code=204)
def end(session: SessionId, service: Serving, caller: User) -> Response:
    """End a session; its memory is free at once."""
    service.clicks.end(service.clicks.get(session, caller.name))
    return Response(status_code=204)


@router.get(
    "/{session}/{file}",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def take(
    session: SessionId, file: str, service: Serving, caller: User, label: LabelName = OBJECT
) -> Response:
    """Return the newest mask as a file, `mask.nii.gz` or of a DICOM image `seg.dcm`, its object under a name."""
    found = service.clicks.get(session, caller.name)
    if file not in _FILES:
        raise Problem(404, "no such file", hint=", ".join(_FILES))
    if not label.isprintable():
        raise Problem(422, "a label's name holds letters, not control characters")
    data = await run_in_threadpool(as_file, found.named(label), _FILES[file])
    service.audit.add(
        caller.name, "download", {"study": found.study, "file": file} if found.study else {"file": file}
    )
    return Response(
        data,
        media_type=results.media_type(file),
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


def as_file(mask: Mask, suffix: str) -> bytes:
    """Return a mask as the bytes of a file. Raises Problem 422 for what the format cannot hold of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = FilePath(folder) / f"mask{suffix}"
        try:
            formats.write(mask, path)
        except (OutputError, GeometryError) as error:
            raise Problem(422, error.what, found=error.found) from error
        return path.read_bytes()
