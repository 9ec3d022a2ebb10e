"""Annotation over HTTP: the project, the list of cases, claims, and readings that are saved and seen."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from vesalius.run.annotation.reading import Reading, Role
from vesalius.run.annotation.standing import OPENED, ORDER, Standing
from vesalius.run.annotation.store import MOST_VERSIONS
from vesalius.serve.http import schemas
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.annotating import Annotating
from vesalius.serve.http.annotation_bodies import listed_case, project_body, reading_body
from vesalius.serve.http.annotation_saving import refused, save_reading, so_far
from vesalius.serve.http.annotation_schemas import (
    ClaimBody,
    ConflictBody,
    ListedCase,
    OpenedBody,
    ProjectBody,
    ReadingBody,
    ReadingRequest,
)
from vesalius.serve.http.annotation_uploads import receive_reading
from vesalius.serve.http.endpoints import file_response
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.schemas import iso
from vesalius.serve.http.service import Service

_CODES = (400, 401, 403, 404, 413, 415, 422, 429, 507)
router = APIRouter(
    prefix="/api/annotation",
    tags=["annotation"],
    responses={code: {"model": schemas.ErrorBody} for code in _CODES},
)
CaseKey = Annotated[str, Path(max_length=64)]
Who = Annotated[str | None, Query(max_length=64)]
Version = Annotated[int | None, Query(ge=1, le=MOST_VERSIONS)]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ReadingRequest.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "annotation": {"type": "string"},
                        "mask": {"type": "string", "format": "binary"},
                    },
                }
            },
        },
    }
}


@router.get("", response_model=ProjectBody, responses={204: {"description": "no project is annotated here"}})
def project(service: Serving, caller: User, annotator: Who = None) -> Any:
    """Return what is annotated here, by whom, and how far it is; 204 where nothing is."""
    if service.annotating is None:
        return Response(status_code=204)
    desk = service.annotating
    you = desk.annotator(caller, annotator) if annotator is not None or desk.by_keys else None
    return project_body(desk, you)


@router.get("/cases", response_model=list[ListedCase])
def cases(service: Serving, caller: User, annotator: Who = None) -> Any:
    """Return all cases in the order in which somebody should do them, each with where it stands for them."""
    desk, name = _desk(service, caller, annotator)
    found = [listed_case(desk, one, standing, name) for one, standing in desk.standings()]
    return sorted(found, key=lambda row: ORDER.index(row["state"]))


@router.post("/cases/{case}/open", response_model=OpenedBody, responses={409: {"model": schemas.ErrorBody}})
def begin(case: CaseKey, service: Serving, caller: User, annotator: Who = None) -> Any:
    """Open a case to read it, or to look again: it is the annotator's for a while, and its image a study of theirs.

    409 where as many others as are needed have read it or have it at this moment.
    """
    desk, name = _desk(service, caller, annotator)
    one = desk.one(case)
    with desk.deciding:  # it is theirs before its image is brought, or two would begin it at one moment
        standing = desk.standing(case)
        state = desk.state(standing, name)
        if state not in OPENED:
            raise refused(standing, state)
        known = desk.claims.get(case, name) is not None
        claim = desk.claims.take(case, name)
    try:
        study, stored, gone = desk.study(service.studies, caller, name, case, service.bounds)
    except BaseException:
        if not known:
            desk.claims.release(case, name)
        raise
    for old in gone:
        service.forget(old)
    kept = {r.case for each in desk.store.newest().values() for r in each if r.annotator == name}
    desk.claims.release_others(case, name, kept)
    service.audit.add(caller.name, "open", {"study": study.id, "case": case})
    role = "adjudication" if state == "adjudicate" or _decides(standing, name) else "reading"
    own = standing.own(name, "adjudication" if role == "adjudication" else "reading")
    others = [
        r
        for r in standing.readings
        if r.annotator != name and r.role == "reading" and (r.done or not desk.project.blind)
    ]
    return {
        "case": case,
        "name": desk.called(one),
        "study": study.id,
        "image": stored.id,
        "body": study.json(),
        "expires_at": iso(claim.until),
        "role": role,
        "state": state,
        "reading": own and reading_body(desk, own, content=True),
        "others": [reading_body(desk, r, content=True) for r in others if desk.may_see(name, r, standing)],
    }


@router.post("/cases/{case}/claim", response_model=ClaimBody, responses={409: {"model": schemas.ErrorBody}})
def hold(case: CaseKey, service: Serving, caller: User, annotator: Who = None) -> Any:
    """Hold on to a case that was opened."""
    desk, name = _desk(service, caller, annotator)
    desk.one(case)
    standing = desk.standing(case)
    state = desk.state(standing, name)
    if state not in OPENED and desk.claims.get(case, name) is None:
        raise refused(standing, state)
    return {"expires_at": iso(desk.claims.take(case, name).until)}


@router.delete("/cases/{case}/claim", status_code=204)
def let_go(case: CaseKey, service: Serving, caller: User, annotator: Who = None) -> Response:
    """Let a case go, so that others may have it."""
    desk, name = _desk(service, caller, annotator)
    desk.claims.release(desk.one(case).key, name)
    return Response(status_code=204)


@router.get("/cases/{case}/reading", response_model=ReadingBody)
def look(
    case: CaseKey,
    service: Serving,
    caller: User,
    annotator: Who = None,
    of: Who = None,
    version: Version = None,
    role: Role = "reading",
    content: bool = True,
) -> Any:
    """Return what somebody said of a case, by default oneself and the newest version; 403 while that is blind."""
    desk, found = _found(service, caller, case, annotator, of, version, role)
    return reading_body(desk, found, content=content)


@router.get("/cases/{case}/mask.nii.gz", response_class=Response)
def mask(
    case: CaseKey,
    service: Serving,
    caller: User,
    annotator: Who = None,
    of: Who = None,
    version: Version = None,
    role: Role = "reading",
) -> Response:
    """Return what somebody drew on a case's image, in its geometry; 403 while that is blind."""
    desk, found = _found(service, caller, case, annotator, of, version, role)
    digest = found.content.get("mask")
    if digest is None:
        raise not_found("mask")
    service.audit.add(caller.name, "look", {"case": case, "reading": found.id})
    return file_response(desk.store.drawing(str(digest)), "application/gzip", name="mask.nii.gz")


@router.put(
    "/cases/{case}/reading",
    response_model=ReadingBody,
    responses={409: {"model": ConflictBody}},
    openapi_extra=_BODY,
)
async def save(request: Request, case: CaseKey, service: Serving, caller: User, annotator: Who = None) -> Any:
    """Save what somebody says of a case as their next version. When this is answered, it is on the disk.

    As JSON, or as a form with the field `annotation` and the file `mask` (NIfTI on the image's grid, or `.json` with
    its runs). 409 where the same annotator has saved another version since, which comes along as `latest`, and where
    the case may not be read any more.
    """
    desk, name = _desk(service, caller, annotator)
    desk.one(case)
    grid = await run_in_threadpool(desk.header, case)
    said = await receive_reading(request, service, desk.project, grid)
    return await run_in_threadpool(save_reading, service, desk, caller, name, case, said, grid)


def _decides(standing: Standing, name: str) -> bool:
    return standing.decided is not None and standing.decided.annotator == name


def _desk(service: Service, caller: Caller, annotator: str | None) -> tuple[Annotating, str]:
    """Return the project and who somebody is. Raises Problem 404 where nothing is annotated here."""
    if service.annotating is None:
        raise not_found("annotation project")
    return service.annotating, service.annotating.annotator(caller, annotator)


def _found(
    service: Service,
    caller: Caller,
    case: str,
    annotator: str | None,
    of: str | None,
    version: int | None,
    role: Any,
) -> tuple[Annotating, Reading]:
    """Return a version of a reading. Raises Problem 403 while it is blind, whether it is there or not; 404."""
    desk, name = _desk(service, caller, annotator)
    desk.one(case)
    whose = name if of is None else " ".join(of.split())
    standing = desk.standing(case)
    if whose != name and not standing.may_see_others(name):
        raise Problem(
            403,
            "this case is read blind",
            found=so_far(standing),
            hint="others' work is shown once all have read it",
        )
    versions = desk.store.versions(case, whose, role)
    if not versions or (version is not None and version > len(versions)):
        raise not_found("reading")
    chosen = versions[-1 if version is None else version - 1]
    if whose != name and desk.project.blind and not chosen.done:
        raise not_found("reading")
    return desk, chosen
