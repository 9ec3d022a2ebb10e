"""A model's answer about an image of the datastore, of a session, or that comes along; and sessions."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from vesalius.core.image import Array
from vesalius.serve.http import results, schemas, uploads
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.clicks.endpoints import as_file
from vesalius.serve.http.clicks.session import ClickSession
from vesalius.serve.http.datastore import ImageId
from vesalius.serve.http.endpoints import covariates_of, file_response, receive_study, wait_for_job
from vesalius.serve.http.job import InferenceJob
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.monailabel import clicking, explaining
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.service import Service
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.truth import read_truth

router = APIRouter()
MOST_ASKED = 200  # letters
MARK = "X-Vesalius-Marks"  # of an answer that is a file alone: JSON in ASCII, `{"outside": […] or null, "notes": […]}`


@router.post("/infer/{model}")
async def infer(
    request: Request,
    model: str,
    service: Serving,
    caller: User,
    image: ImageId = "",
    session_id: Annotated[str, Query(max_length=64)] = "",
    output: Literal["image", "json", "all", "dicom_seg"] = "all",
    accept_mismatch: bool = False,
    refuse_unlike: bool = False,
) -> Response:
    """Return a model's answer about an image of the datastore, of a session, or that comes with the request as `file`.

    The form's field `params`, a JSON object, may hold `covariates` (`{"covariates": {"age": 61}}`); what else a client
    says there is of other servers. A model `NAME+METHOD` explains the answer of NAME: its file holds the bands of
    the map as labels, or with `"values": true` in `params` the map itself; `"ask"` there is what is asked. A file
    alone (`output` image or dicom_seg) says in the header `X-Vesalius-Marks` what the JSON says as `outside` and
    `notes`.

    A model of type `deepgrow` segments what is pointed at: `params` hold `foreground` and `background` points and a
    region `roi`, as voxels, and the form's file `label` scribbles; `label` in `params` is what the object is called.
    """
    found, method = explaining.meant(service.models, clicking.plain(service.models, model))
    with tempfile.TemporaryDirectory(dir=service.apart) as apart:
        study, case, params, drawn = await _asked(request, service, caller, image, session_id, Path(apart))
        if found.about["clicks"]:
            scribbles = (
                None if drawn is None else await run_in_threadpool(_scribbles, drawn, case, Path(apart))
            )
            session, label = await clicking.answered(
                service, caller, found, study, case, params, scribbles, accept=accept_mismatch
            )
            return await run_in_threadpool(_clicked, session, label, output)
    about = params.get("ask") if method else None
    asking = partial(service.ask, caller, found, study, case.id)
    job = await run_in_threadpool(
        asking,
        explain=method is not None,
        explainer=method,
        ask=str(about)[:MOST_ASKED] if about else None,
        accept_mismatch=accept_mismatch,
        covariates=_covariates(params),
        refuse_unlike=refuse_unlike,
    )
    if not await wait_for_job(service, job, service.bounds.wait_s):
        await run_in_threadpool(service.jobs.cancel, job)
        raise Problem(408, "the answer takes too long", hint="POST /api/jobs, which does not wait")
    try:
        bands = method is not None and not params.get("values")
        return await run_in_threadpool(_answered, job, case, output, bands)
    except FileNotFoundError:  # deleted at this moment
        raise not_found("answer") from None


async def _asked(
    request: Request, service: Service, caller: Caller, image: str, session_id: str, apart: Path
) -> tuple[UploadedStudy, StoredCase, Mapping[str, Any], uploads.Received | None]:
    """Return the image that is meant, and what is sent with the request: parameters, and a label file, moved `apart`.

    Raises Problem.
    """
    known: Mapping[str, Any] = {}
    label: uploads.Received | None = None
    if request.headers.get("content-type", "").startswith("multipart/"):
        async with service.studies.receiving(caller) as (study_id, folder):
            form = await uploads.receive(request, folder, service.bounds, service.studies.room(study_id))
            files = [f for f in form.files if f.field == "file"]
            known = _params(form.fields.get("params", ""))
            for item in (f for f in form.files if f.field == "label"):
                label = replace(item, path=item.path.rename(apart / item.path.name))
            if files and not session_id:
                study = await run_in_threadpool(service.studies.add, study_id, folder, files, caller)
                service.uploaded(caller, study, len(files))
                return study, study.cases[0], known, label
            shutil.rmtree(folder, ignore_errors=True)
    if session_id:
        study = await run_in_threadpool(service.studies.get, session_id, caller)
        return study, study.cases[0], known, label
    if not image:
        raise Problem(422, "no image, no file and no session")
    return *await run_in_threadpool(service.datastore.find, image, caller), known, label


def _scribbles(item: uploads.Received, case: StoredCase, folder: Path) -> Array:
    """Return a label file's values on its image's grid `(Z, Y, X)`. Raises Problem 422 for what is not drawn on it."""
    mask = read_truth(uploads.with_suffix(item), case, folder / "read").mask
    if mask.overlapping:
        raise Problem(422, "scribbles do not overlap", hint="a label map")
    found: Array = mask.image.array[0]
    return found


def _clicked(session: ClickSession, label: str, output: str) -> Response:
    """Return the mask of a session as MONAI Label's client takes it."""
    mask = session.named(label)
    outside = None if mask.outside is None else list(mask.outside)
    params = {
        "label_names": {label: 1},
        "kind": type(mask).__name__,
        "summary": results.summary(mask),
        "outside": outside,
        "notes": [],
    }
    marks = {MARK: json.dumps({"outside": outside, "notes": []})}
    if output == "json":
        return JSONResponse(params)
    data = as_file(mask, ".seg.dcm" if output == "dicom_seg" else ".nii.gz")
    if output == "all":
        return _multipart(params, data)
    return Response(
        data, media_type="application/dicom" if output == "dicom_seg" else "application/gzip", headers=marks
    )


def _params(text: str) -> Mapping[str, Any]:
    """Return MONAI Label's parameters; none where these are no JSON object."""
    try:
        params = json.loads(text) if text.strip() else {}
    except ValueError:
        params = {}
    return params if isinstance(params, dict) else {}


def _covariates(params: Mapping[str, Any]) -> dict[str, float | str]:
    """Return the covariates among the parameters. Raises Problem 422."""
    known = params.get("covariates")
    return {} if known is None else covariates_of(json.dumps(known))


def _answered(job: InferenceJob, case: StoredCase, output: str, bands: bool) -> Response:
    """Return a job's answer as MONAI Label's client takes it; of a map its `bands` where these are wanted."""
    if case.id not in job.answers:
        error = job.error or {"error": f"the job is {job.status}"}
        raise Problem(job.refusal or 422, error["error"], found=error.get("found"), hint=error.get("hint"))
    row, written = job.answers[case.id], job.files[case.id]
    params = {
        "label_names": explaining.BANDS
        if bands
        else {x["name"]: x["value"] for x in job.model.about["labels"]},
        "kind": row["kind"],
        "summary": row["summary"],
        "outside": row["outside"],
        "notes": row["notes"],
    }
    marks = {MARK: json.dumps({name: row[name] for name in ("outside", "notes")})}
    if output == "dicom_seg":
        if "seg.dcm" not in written:
            raise Problem(422, "there is no SEG of this answer", hint="a mask on a DICOM image")
        return file_response(written["seg.dcm"], "application/dicom", name="seg.dcm", headers=marks)
    mask = next((written[n] for n in ("mask.nii.gz", "map.nii.gz", "picture.nii.gz") if n in written), None)
    if bands and mask is not None:
        mask = explaining.banded(mask)
    if output == "image":
        if mask is None:
            raise Problem(422, "this answer is no image", hint="output=json")
        return file_response(mask, "application/gzip", name="answer.nii.gz", headers=marks)
    if mask is None:  # what is no image, such as boxes, is in the JSON as a whole
        params["answer"] = row["answer"]
    if output == "json" or mask is None:
        return JSONResponse(params)
    return _multipart(params, mask.read_bytes())


def _multipart(params: Mapping[str, Any], data: bytes) -> Response:
    """Return the JSON and the file as two parts of a form."""
    edge = secrets.token_hex(16)
    lines = [
        f"--{edge}", 'Content-Disposition: form-data; name="params"', "Content-Type: application/json", "",
        json.dumps(params),
        f"--{edge}", f'Content-Disposition: form-data; name="image"; filename="{secrets.token_hex(8)}.nii.gz"',
        "Content-Type: application/gzip", "", "",
    ]  # fmt: skip
    body = "\r\n".join(lines).encode() + data + f"\r\n--{edge}--\r\n".encode()
    return Response(body, media_type=f"multipart/form-data; boundary={edge}")


@router.put("/session/", openapi_extra=schemas.multipart())
async def new_session(request: Request, service: Serving, caller: User) -> dict[str, Any]:
    """Upload an image, or the files of one, to be asked about by the session's id."""
    study, _ = await receive_study(request, service, caller)
    return {"session_id": study.id, "session_info": study.json()}


@router.get("/session/{session_id}")
def session(session_id: str, service: Serving, caller: User) -> dict[str, Any]:
    """Return one session."""
    return service.studies.get(session_id, caller).json()


@router.delete("/session/{session_id}")
def remove_session(session_id: str, service: Serving, caller: User) -> dict[str, Any]:
    """End a session; its files go."""
    study = service.studies.get(session_id, caller)
    service.forget(study)
    service.audit.add(caller.name, "delete", {"study": study.id})
    return study.json()
