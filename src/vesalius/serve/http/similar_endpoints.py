"""Cases like this one, over HTTP: of an index that the administrator gave, about a case of a study or of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from vesalius.core.errors import VesaliusError
from vesalius.run.searching import Reply
from vesalius.serve.http import schemas
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.audit import Details
from vesalius.serve.http.endpoints import CaseId, JobId, StudyId
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem, not_found, problem_of
from vesalius.serve.http.service import Service
from vesalius.serve.http.similar import SimilarCases
from vesalius.serve.http.similar_schemas import OfferBody, SimilarBody
from vesalius.serve.http.study import StoredCase, UploadedStudy

router = APIRouter(
    prefix="/api",
    tags=["similar"],
    responses={code: {"model": schemas.ErrorBody} for code in (400, 401, 403, 404, 422, 429)},
)
Count = Annotated[int, Query(ge=1, le=100)]
Words = Annotated[str, Query(max_length=400)]
Where = Annotated[list[str], Query(max_length=16)]
Place = Annotated[int, Path(ge=0)]
_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/similar", response_model=OfferBody)
def offered(service: Serving, caller: User) -> Any:
    """Return which index this service finds cases in, and whether their pictures are shown to the caller."""
    held = service.similar
    if held is None:
        return {"index": None, "hidden": None}
    return {"index": _index(held), "hidden": held.hidden(caller)}


@router.get("/studies/{study}/cases/{case}/similar", response_model=SimilarBody)
def of_study(
    study: StudyId,
    case: CaseId,
    service: Serving,
    caller: User,
    count: Count = 8,
    words: Words = "",
    where: Where = [],  # noqa: B006 - FastAPI reads the default, and makes a list of its own
    own: bool = False,
    exact: bool = False,
) -> Any:
    """Return the cases of the index that are like an uploaded one, the nearest first; never the image itself.

    `where` is `sex=F` or `age=40..60`, and can be repeated. `own` finds other cases of the same patient, too.
    """
    found = service.studies.get(study, caller)
    return _similar(
        service,
        caller,
        found,
        found.case(case),
        {},
        count=count,
        words=words,
        where=where,
        own=own,
        exact=exact,
    )


@router.get("/jobs/{job}/cases/{case}/similar", response_model=SimilarBody)
def of_job(
    job: JobId,
    case: CaseId,
    service: Serving,
    caller: User,
    count: Count = 8,
    words: Words = "",
    where: Where = [],  # noqa: B006 - as above
    own: bool = False,
    exact: bool = False,
) -> Any:
    """Return the cases of the index that are like one of a job, with the covariates that the job was given."""
    found = service.jobs.get(job, caller)
    stored = next((c for c in found.cases if c.id == case), None)
    if stored is None:
        raise not_found("case")
    return _similar(
        service,
        caller,
        found.study,
        stored,
        found.covariates,
        count=count,
        words=words,
        where=where,
        own=own,
        exact=exact,
    )


@router.get("/similar/{place}/picture.png", responses=_PNG, response_class=Response)
def picture(place: Place, service: Serving, caller: User) -> Response:
    """Return a picture of a case of the index, made of its own file, where this still holds the same pixels."""
    data = _held(service).picture(place, caller)
    about: Details = {"place": place}
    service.audit.add(caller.name, "look-similar", about)
    return Response(data, media_type="image/png")


@router.post("/similar/{place}/study", status_code=201, response_model=schemas.StudyBody)
def opened(place: Place, service: Serving, caller: User) -> Any:
    """Open a case of the index as a study of the caller's own: its files are copied, and go as any upload does."""
    held = _held(service)
    with service.studies.folder(caller) as (study_id, folder):
        entry, files = held.copied(place, caller, folder)
        service.studies.check_room(sum(f.size for f in files))
        about: Details = {"study": study_id, "place": place}
        service.audit.add(caller.name, "open-similar", about)
        study = service.studies.add(study_id, folder, files, caller, covariates=dict(entry.covariates))
    service.uploaded(caller, study, len(files))
    return study.json()


def _held(service: Service) -> SimilarCases:
    if service.similar is None:
        raise Problem(
            403, "this service has no index", hint="who runs it: vesalius serve BUNDLE --index FOLDER"
        )
    return service.similar


def _similar(
    service: Service,
    caller: Caller,
    study: UploadedStudy,
    stored: StoredCase,
    covariates: Mapping[str, float | str],
    *,
    count: int,
    words: str,
    where: Sequence[str],
    own: bool,
    exact: bool,
) -> dict[str, Any]:
    held = _held(service)
    conditions = _conditions(where)
    held.assert_conditions(caller, conditions)
    try:
        with service.studies.in_use(study):
            reply = held.ask(
                study,
                stored,
                covariates=covariates,
                words=words,
                count=count,
                where=conditions,
                own_patient=own,
                exact=exact,
            )
    except VesaliusError as error:
        raise problem_of(error, study.plainly) from error
    about: Details = {"study": study.id, "found": len(reply.entries)}
    service.audit.add(caller.name, "similar", about)
    return _body(held, reply, caller, stored.name)


def _body(held: SimilarCases, reply: Reply, caller: Caller, name: str) -> dict[str, Any]:
    seen, hidden = held.may_see(caller), held.hidden(caller)
    rows = zip(reply.entries, reply.hits.places.tolist(), reply.hits.distances.tolist(), strict=True)
    return {
        "what": name,
        "index": _index(held),
        "search": {
            "way": "exact" if reply.hits.exact else "graph",
            "why": reply.hits.why,
            "recall": None if reply.hits.exact else reply.recall,
        },
        "left_out": reply.left_out,
        "outside": None if reply.ranking.outside is None else list(reply.ranking.outside),
        "notes": reply.notes(len(held.opened.index.entries)),
        "hidden": hidden,
        "found": [
            {
                "rank": rank,
                "distance": round(far, 6),
                "target": entry.target,
                "case": entry.case if seen else None,
                "picture": f"/api/similar/{place}/picture.png"
                if hidden is None and held.shown(entry)
                else None,
                "open": f"/api/similar/{place}/study" if hidden is None and held.opens(entry) else None,
            }
            for rank, (entry, place, far) in enumerate(rows, start=1)
        ],
    }


def _index(held: SimilarCases) -> dict[str, Any]:
    known = held.opened.index
    return {
        "cases": len(known.entries),
        "of": known.of,
        "made_of": known.made_of,
        "bundle": known.bundle,
        "data_hash": known.data_hash,
        "target": known.target,
        "words": held.opened.vectors.reads,
    }


def _conditions(where: Sequence[str]) -> dict[str, str]:
    """Return conditions by name. Raises Problem 422 for one without a value, and for two on one name."""
    found: dict[str, str] = {}
    for text in where:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or name.strip() in found:
            raise Problem(422, "a condition is NAME=VALUE, each name once", found=text[:60])
        found[name.strip()] = value.strip()
    return found
