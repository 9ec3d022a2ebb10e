"""Annotation over HTTP: the project, the list of cases, claims, and readings that are saved and seen."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from vesalius.core.words import counted
from vesalius.run.annotation.reading import Reading, Role, Start
from vesalius.run.annotation.standing import OPENED, ORDER, SAVED, Standing
from vesalius.run.annotation.store import MOST_VERSIONS, Conflict, Saving
from vesalius.serve.http import schemas
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.annotating import Annotating
from vesalius.serve.http.annotation_bodies import listed_case, project_body, reading_body
from vesalius.serve.http.annotation_schemas import (
    ClaimBody,
    ConflictBody,
    ListedCase,
    OpenedBody,
    ProjectBody,
    ReadingBody,
    ReadingRequest,
)
from vesalius.serve.http.annotation_uploads import Said, receive_reading
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
    one, standing = desk.one(case), desk.standing(case)
    state = desk.state(standing, name)
    if state not in OPENED:
        raise _refused(standing, state)
    study, stored, gone = desk.study(service.studies, caller, name, case, service.bounds)
    for old in gone:
        service.forget(old)
    kept = {r.case for each in desk.store.newest().values() for r in each if r.annotator == name}
    desk.claims.release_others(case, name, kept)
    claim = desk.claims.take(case, name)
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
        "name": one.id,
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
        raise _refused(standing, state)
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
    return await run_in_threadpool(_save, service, desk, caller, name, case, said, grid)


def _save(
    service: Service, desk: Annotating, caller: Caller, name: str, case: str, said: Said, grid: Any
) -> dict[str, Any]:
    asked = said.asked
    claim = desk.claims.get(case, name)

    def write_down(reading: Reading) -> None:
        service.audit.add(caller.name, "annotate", {"case": case, "reading": reading.id})

    with desk.deciding:  # so that what is allowed is what is saved
        _assert_may_save(desk, case, name, asked)
        saving = Saving(
            case=case,
            image=desk.one(case).image,
            annotator=name,
            caller=caller.name,
            role=asked.role,
            seen=asked.version,
            done=asked.done,
            seconds=asked.seconds,
            grid=grid,
            content=said.content,
            drawn=said.drawn,
            start=Start(**asked.start.model_dump()),
            note=asked.note,
            since=claim.since if claim is not None else None,
        )
        try:
            made = desk.store.save(saving, before=write_down)
        except Conflict as conflict:
            latest = conflict.latest
            problem = Problem(
                409,
                f"version {latest.version} of this reading has been saved since, in another window",
                found=latest.at,
                hint="look at it, and put your changes into it",
            )
            problem.body |= {"latest": reading_body(desk, latest, content=True)}  # type: ignore[dict-item]
            raise problem from None
    desk.claims.take(case, name)
    return reading_body(desk, made, content=False)


def _assert_may_save(desk: Annotating, case: str, name: str, asked: ReadingRequest) -> None:
    """Raise Problem 409 for a case that may not be read or decided any more, 403 for who may not decide."""
    standing = desk.standing(case)
    if asked.role == "adjudication":
        decided = standing.decided
        if not standing.complete:
            raise Problem(409, "not all have read this case yet", found=_so_far(standing))
        if not standing.may_decide(name):
            raise Problem(
                403, "whoever read a case does not decide it, nor who is no adjudicator", found=name
            )
        if decided is not None and decided.annotator != name:
            raise Problem(409, "another has decided this case", found=decided.annotator)
        return
    state = desk.state(standing, name)
    if state not in SAVED and not (state == "held" and desk.claims.get(case, name) is not None):
        raise _refused(standing, state)


def _decides(standing: Standing, name: str) -> bool:
    return standing.decided is not None and standing.decided.annotator == name


def _refused(standing: Standing, state: str) -> Problem:
    said = {
        "held": "others have this case at the moment",
        "full": "this case has been read, or is not yours to read",
        "sealed": "a blind reading is over, and changes no more",
        "adjudicate": "this case has been read, and waits for somebody to decide",
        "adjudicated": "this case has been decided",
    }
    return Problem(
        409, said.get(state, "this case may not be read"), found=_so_far(standing), hint="another case"
    )


def _so_far(standing: Standing) -> str:
    return f"{counted(len(standing.done), 'reading')} of {standing.project.readers}"


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
            found=_so_far(standing),
            hint="others' work is shown once all have read it",
        )
    versions = desk.store.versions(case, whose, role)
    if not versions or (version is not None and version > len(versions)):
        raise not_found("reading")
    chosen = versions[-1 if version is None else version - 1]
    if whose != name and desk.project.blind and not chosen.done:
        raise not_found("reading")
    return desk, chosen
