"""The service's own endpoints: models, studies, jobs, health, figures and the audit log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, StreamingResponse
from pydantic import Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from vesalius.core.errors import UnknownName
from vesalius.core.learned import compare
from vesalius.prepare.registering import assert_known
from vesalius.serve.http import cards, results, schemas, uploads
from vesalius.serve.http.access import Admin, Monitor, Serving, User
from vesalius.serve.http.job import Doubts, InferenceJob
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.metrics import CONTENT_TYPE
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.service import Service
from vesalius.serve.http.study import UploadedStudy
from vesalius.serve.http.visits import EarlierVisit

_ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": schemas.ErrorBody} for code in (400, 401, 403, 404, 408, 413, 415, 422, 429, 503)
}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
_COVARIATES = TypeAdapter(Annotated[dict[str, schemas.Covariate], Field(max_length=64)])
_FIELDS = ("model", "accept_mismatch", "refuse_unlike", "covariates")  # of the form of one call
_POLL_S = 0.05
_KEEP_ALIVE_S = 15.0

open_to_all = APIRouter(tags=["service"])
api = APIRouter(prefix="/api", responses=_ERRORS)
StudyId = Annotated[str, Path(max_length=64)]
JobId = Annotated[str, Path(max_length=64)]
ModelName = Annotated[str, Path(max_length=64)]
CaseId = Annotated[str, Path(max_length=64)]


@open_to_all.get("/health")
async def health() -> dict[str, str]:
    """Return whether the process answers."""
    return {"status": "ok"}


@open_to_all.get("/ready", responses={503: {"description": "not ready"}})
async def ready(service: Serving) -> Response:
    """Return whether jobs are taken and worked on; 503 where not, and why."""
    why = service.unready
    return JSONResponse({"ready": why is None, "why": why}, 200 if why is None else 503)


@open_to_all.get(
    "/metrics", responses={200: {"content": {"text/plain": {}}}, 401: {"model": schemas.ErrorBody}}
)
def metrics(service: Serving, caller: Monitor) -> Response:
    """Return the figures for Prometheus."""
    return Response(service.figures(), media_type=CONTENT_TYPE)


@api.get("/models", response_model=list[schemas.ModelBody], tags=["models"])
def models(service: Serving, caller: User) -> Any:
    """Return the bundles that this service answers with."""
    return [m.body() for m in service.models.by_name.values()]


@api.get(
    "/models/{model}/card",
    tags=["models"],
    response_class=HTMLResponse,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def model_card(model: ModelName, service: Serving, caller: User) -> Response:
    """Return a model's card, its checklists and its change-control plan as one page."""
    return HTMLResponse(service.models.get(model).card(), headers=cards.HEADERS)


@api.post(
    "/studies",
    status_code=201,
    response_model=schemas.StudyBody,
    tags=["studies"],
    openapi_extra=schemas.multipart(),
    responses={
        200: {"model": schemas.StudyBody, "description": "with `once`: the study that is here already"}
    },
)
async def upload(
    request: Request, response: Response, service: Serving, caller: User, once: bool = False
) -> Any:
    """Upload the files of a study, or a zip of them: DICOM, NIfTI, PNG, …

    With `once`, files that are here already under the same names, byte for byte, make no second study: the first is
    the answer, under status 200.
    """
    study, _ = await receive_study(request, service, caller)
    earlier = await run_in_threadpool(service.studies.twin, study) if once else None
    if earlier is not None:
        await run_in_threadpool(service.forget, study)
        response.status_code = 200
        return earlier.json()
    return study.json()


@api.post(
    "/studies/sample",
    status_code=201,
    response_model=schemas.StudyBody,
    tags=["studies"],
    responses={200: {"model": schemas.StudyBody, "description": "the sample that is here already"}},
)
def sample(
    response: Response,
    service: Serving,
    caller: User,
    model: Annotated[str | None, Query(max_length=64)] = None,
) -> Any:
    """Make a synthetic study of nobody, as a model takes it: a picture for a model of pictures, or else a CT volume."""
    study, new = service.sample(caller, service.models.get(model) if model else None)
    if not new:
        response.status_code = 200
    return study.json()


@api.get("/studies", response_model=list[schemas.StudyBody], tags=["studies"])
def studies(service: Serving, caller: User) -> Any:
    """Return the caller's studies; an admin's are all."""
    return [s.json() for s in service.studies.seen_by(caller)]


@api.get("/studies/{study}", response_model=schemas.StudyBody, tags=["studies"])
def study(study: StudyId, service: Serving, caller: User) -> Any:
    """Return one study."""
    return service.studies.get(study, caller).json()


@api.delete("/studies/{study}", status_code=204, tags=["studies"])
def delete_study(study: StudyId, service: Serving, caller: User) -> Response:
    """Remove a study, its jobs and all their files."""
    found = service.studies.get(study, caller)
    service.forget(found)
    service.audit.add(caller.name, "delete", {"study": found.id})
    return Response(status_code=204)


@api.get(
    "/studies/{study}/cases/{case}/image.nii.gz", tags=["studies"], responses=_BYTES, response_class=Response
)
def image(study: StudyId, case: CaseId, service: Serving, caller: User) -> Response:
    """Return the image for a viewer, in its own geometry."""
    found = service.studies.get(study, caller)
    path = service.studies.image(found, found.case(case))
    service.audit.add(caller.name, "look", {"study": found.id})
    return file_response(path, "application/gzip")


@api.get(
    "/studies/{study}/cases/{case}/preview.png", tags=["studies"], responses=_BYTES, response_class=Response
)
def preview(study: StudyId, case: CaseId, service: Serving, caller: User) -> Response:
    """Return the middle plane as a picture."""
    found = service.studies.get(study, caller)
    path = service.studies.preview(found, found.case(case))
    service.audit.add(caller.name, "look", {"study": found.id})
    return file_response(path, "image/png")


@api.get("/studies/{study}/cases/{case}/verdict", response_model=schemas.VerdictBody, tags=["studies"])
def verdict(
    study: StudyId,
    case: CaseId,
    service: Serving,
    caller: User,
    model: Annotated[str, Query(max_length=64)] = "",
) -> Any:
    """Return whether a model would answer about an image, and in what it differs from what the model learned."""
    found, learned = service.studies.get(study, caller).case(case), service.models.get(model).bundle.learned
    if learned is None or found.seen is None:
        return {"known": False, "mismatch": [], "outside": []}
    said = compare(learned, found.seen)
    return {"known": True, "mismatch": said.mismatch, "outside": said.outside}


@api.post("/jobs", status_code=202, response_model=schemas.JobBody, tags=["jobs"])
def ask(asked: schemas.JobRequest, service: Serving, caller: User) -> Any:
    """Ask a model about a study, or about one case of it."""
    model = service.models.get(asked.model)
    found = service.studies.get(asked.study, caller)
    explain = asked.kind == "explain"
    job = service.ask(
        caller,
        model,
        found,
        asked.case,
        explain=explain,
        advise=_is_advice(asked),
        explainer=asked.explainer,
        ask=asked.ask,
        accept_mismatch=asked.accept_mismatch,
        covariates=asked.covariates,
        doubt=_doubt_of(asked),
        refuse_unlike=asked.refuse_unlike,
        images=asked.images,
        earlier=_earlier_of(asked, service, caller),
    )
    return service.jobs.json(job)


@api.get("/jobs", response_model=list[schemas.JobBody], tags=["jobs"])
def jobs(service: Serving, caller: User) -> Any:
    """Return the caller's jobs; an admin's are all."""
    return [service.jobs.json(j) for j in service.jobs.seen_by(caller)]


@api.get("/jobs/{job}", response_model=schemas.JobBody, tags=["jobs"])
def job(job: JobId, service: Serving, caller: User) -> Any:
    """Return one job, with the answers that there are."""
    return service.jobs.json(service.jobs.get(job, caller))


@api.get("/jobs/{job}/events", tags=["jobs"], responses={200: {"content": {"text/event-stream": {}}}})
async def events(job: JobId, service: Serving, caller: User) -> Response:
    """Return the job at each change, as server-sent events, until it ends."""
    found = await run_in_threadpool(service.jobs.get, job, caller)
    return StreamingResponse(_events(service, found), media_type="text/event-stream")


@api.delete("/jobs/{job}", status_code=204, tags=["jobs"])
def cancel(job: JobId, service: Serving, caller: User) -> Response:
    """Cancel a job; one that has ended stays as it is."""
    found = service.jobs.get(job, caller)
    service.jobs.cancel(found)
    service.audit.add(caller.name, "cancel", {"job": found.id})
    return Response(status_code=204)


@api.get("/jobs/{job}/cases/{case}/{file}", tags=["jobs"], responses=_BYTES, response_class=Response)
def file(job: JobId, case: CaseId, file: str, service: Serving, caller: User) -> Response:
    """Return a file of an answer: mask.nii.gz, seg.dcm, sr.dcm, overlay.png, answer.json, change.html, …"""
    found = service.jobs.get(job, caller)
    path = service.file(found, case, file)
    service.audit.add(caller.name, "download", {"job": found.id, "file": file})
    name = None if file.endswith(".html") else file  # a page is to be looked at, all else to be saved
    return file_response(path, results.media_type(file), name=name, headers=results.headers(file))


@api.post(
    "/predict",
    response_model=schemas.JobBody,
    tags=["jobs"],
    openapi_extra=schemas.multipart(*_FIELDS),
    responses={
        422: {"model": schemas.JobBody | schemas.ErrorBody, "description": "refused, or not understood"}
    },
)
async def predict(request: Request, response: Response, service: Serving, caller: User) -> Any:
    """Upload and ask in one call; waits for the job, and answers 202 with it where it takes too long.

    A model of a table is asked without a file, by `covariates` alone. Where no case is answered, the job comes under
    the status of its `error`: 422 for an image that the model refuses.
    """
    study, fields = await receive_study(request, service, caller, without=partial(_reads_table, service))
    try:
        _assert_known(fields, _FIELDS)
        model = service.models.get(fields.get("model"))
        accept = is_yes("accept_mismatch", fields.get("accept_mismatch", ""))
        refuse = is_yes("refuse_unlike", fields.get("refuse_unlike", ""))
        known = covariates_of(fields.get("covariates", ""))
        asking = partial(service.ask, caller, model, study)
        found = await run_in_threadpool(
            asking, accept_mismatch=accept, covariates=known, refuse_unlike=refuse
        )
    except (Problem, UnknownName):
        await run_in_threadpool(service.forget, study)
        raise
    if not await wait_for_job(service, found, service.bounds.wait_s):
        response.status_code = 202
    elif found.status == "failed":
        response.status_code = found.refusal
    return service.jobs.json(found)


@api.get("/audit", response_model=schemas.AuditBody, tags=["service"])
def audit(service: Serving, caller: Admin, last: Annotated[int, Query(ge=0, le=10_000)] = 1000) -> Any:
    """Return the end of the audit log."""
    service.audit.add(caller.name, "audit")
    tail = service.audit.tail
    return {"count": tail.count, "hash": tail.hash, "lines": service.audit.last(last)}


def _assert_known(fields: Mapping[str, str], known: Sequence[str]) -> None:
    """Raise Problem 422 for a field of a form that is not known: what a client means by it would not be done."""
    strange = next((name for name in fields if name not in known), None)
    if strange is not None:
        raise Problem(422, f"{strange[:40]}: no such field", hint=f"files, {', '.join(known)}")


def _is_advice(asked: schemas.JobRequest) -> bool:
    """Return whether a job advises about a case. Raises Problem 422 where it does not say about which."""
    if asked.kind == "advise" and asked.case is None:
        raise Problem(422, "advice is about one case", hint='"case": …')
    if asked.kind == "advise" and asked.doubt is not None:
        raise Problem(422, "advice has no doubt", hint='"kind": "predict"')
    return asked.kind == "advise"


def _earlier_of(asked: schemas.JobRequest, service: Service, caller: Caller) -> EarlierVisit | None:
    """Return the earlier visit of a change. Raises Problem 422 where a job of that kind lacks it or another has it."""
    if asked.kind != "change":
        if asked.earlier is not None:
            raise Problem(422, "an earlier visit is of a change alone", hint='"kind": "change"')
        return None
    if asked.earlier is None or asked.case is None:
        raise Problem(
            422,
            "a change is of one case and an earlier visit",
            hint='"case": …, "earlier": {"study": …, "case": …}',
        )
    one = asked.earlier
    if (one.study, one.case) == (asked.study, asked.case):
        raise Problem(422, "both visits are the same case", hint="a case of another study")
    assert_known(one.registration)
    study = service.studies.get(one.study, caller)
    return EarlierVisit(study, study.case(one.case), one.days, one.registration, one.accept)


def _doubt_of(asked: schemas.JobRequest) -> Doubts | None:
    """Return which doubt is asked for. Raises Problem 422 where a job asks for what its kind does not give."""
    for name, value in (("explainer", asked.explainer), ("ask", asked.ask)):
        if asked.kind != "explain" and value is not None:
            raise Problem(422, f"{name} is of an explanation alone", hint='"kind": "explain"')
    if asked.doubt is None and asked.samples is not None:
        raise Problem(422, "samples are taken for a doubt alone", hint='"doubt": "dropout"')
    if asked.doubt is not None and asked.kind == "explain":
        raise Problem(422, "an explanation has no doubt", hint='"kind": "predict"')
    return None if asked.doubt is None else (asked.doubt, asked.samples)


def covariates_of(text: str) -> dict[str, float | str]:
    """Return the covariates in a field of a form, a JSON object; none where it is empty. Raises Problem 422."""
    try:
        return _COVARIATES.validate_json(text) if text.strip() else {}
    except ValidationError as error:
        raise Problem(
            422,
            "covariates are a JSON object of numbers and words",
            found=text[:40],
            hint='{"age": 61, "sex": "F"}',
        ) from error


def is_yes(name: str, text: str) -> bool:
    """Return whether a field of a form says yes; no where it is empty. Raises Problem 422 for other words."""
    word = text.strip().lower()
    if word not in ("", "0", "1", "false", "true", "no", "yes"):
        raise Problem(422, f"{name} is true or false", found=text[:40])
    return word in ("1", "true", "yes")


def file_response(
    path: FilePath, media_type: str, *, name: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a file as an answer. Raises Problem 404 where it has just gone."""
    try:
        return FileResponse(
            path, media_type=media_type, filename=name, stat_result=path.stat(), headers=headers
        )
    except FileNotFoundError:
        raise not_found("file") from None


def _reads_table(service: Service, fields: Mapping[str, str]) -> bool:
    """Return whether the model that a form asks reads a table. Raises Problem, UnknownName."""
    return bool(service.models.get(fields.get("model")).about["imageless"])


async def receive_study(
    request: Request,
    service: Service,
    caller: Caller,
    field: str = "files",
    *,
    without: Callable[[Mapping[str, str]], bool] | None = None,
) -> tuple[UploadedStudy, dict[str, str]]:
    """Receive an upload and keep it as a study; `without` says by a form's fields whether no file may come.

    Raises Problem.
    """
    async with service.studies.receiving(caller) as (study_id, folder):
        form = await uploads.receive(request, folder, service.bounds, service.studies.room(study_id))
        files = [f for f in form.files if f.field == field]
        others = [f for f in form.files if f.field != field]
        if not files and not (not others and without is not None and without(form.fields)):
            found = f"one in the field '{others[0].field[:40]}'" if others else None
            raise Problem(422, f"no file in the field '{field}'", found=found)
        if others:  # perhaps slices of the same series
            found = f"'{others[0].field[:40]}' ({len(others)} of {len(form.files)} files)"
            raise Problem(422, f"files in another field than '{field}'", found=found)
        service.metrics.uploaded.inc(sum(f.size for f in files))
        study = await run_in_threadpool(service.studies.add, study_id, folder, files, caller)
    await run_in_threadpool(service.uploaded, caller, study, len(files))
    return study, dict(form.fields)


async def wait_for_job(service: Service, job: InferenceJob, most_s: float) -> bool:
    """Wait until a job has ended; whether it has."""
    until = time.monotonic() + most_s
    sharing = service.sharing is not None  # then another process goes on where this one stops
    while not job.ended and time.monotonic() < until and not (sharing and service.stopping.is_set()):
        await asyncio.sleep(0.01)
    return job.ended


async def _events(service: Service, job: InferenceJob) -> AsyncIterator[str]:
    seen, spoken = -1, time.monotonic()
    while True:
        version, ended = job.version, job.ended
        if version != seen:
            seen, spoken = version, time.monotonic()
            yield f"data: {json.dumps(service.jobs.json(job))}\n\n"
        if ended or service.stopping.is_set():
            return
        if time.monotonic() - spoken > _KEEP_ALIVE_S:
            spoken = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(_POLL_S)
