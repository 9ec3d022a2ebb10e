"""The endpoints of MONAI Label that 3D Slicer's module calls: models, inference, a datastore of the caller's studies.

What is uploaded lies among the caller's studies and goes with them. There is no training: `vesalius fit` is for that.
Source: monailabel 0.8, `monailabel.endpoints` and `monailabel.client.client`.
"""

from __future__ import annotations

import json
import random
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.concurrency import run_in_threadpool

from vesalius import __version__, formats
from vesalius.core.case import Ref
from vesalius.core.disk import sha256
from vesalius.serve.http import uploads, wire
from vesalius.serve.http.access import Admin, Serving, User, identify
from vesalius.serve.http.endpoints import sent, take, wait
from vesalius.serve.http.jobs import Job
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem, missing
from vesalius.serve.http.shelves import FINAL, Shelf
from vesalius.serve.http.state import Service
from vesalius.serve.http.studies import StoredCase, Study

router = APIRouter(
    tags=["MONAI Label"],
    responses={c: {"model": wire.ErrorBody} for c in (400, 401, 403, 404, 413, 415, 422, 429)},
)
_TYPES = {"Mask": "segmentation", "Scores": "classification", "Boxes": "detection"}
_STRATEGIES = {"first": "The first image without a label", "random": "Any image without a label"}
_MOST_LABELS = 16  # of one image
Id = Annotated[str, Query(max_length=128)]
Tag = Annotated[str, Query(max_length=64)]


@router.get("/auth/")
def auth(service: Serving) -> dict[str, bool]:
    """Whether keys are asked for."""
    return {"enabled": service.keys is not None}


@router.post("/auth/token")
async def token(request: Request) -> dict[str, str]:
    """A key as a token: the password is the key, whatever the user's name."""
    body = b""
    async for data in request.stream():
        body += data
        if len(body) > 4096:
            raise Problem(413, "a form that is too large")
    key = (parse_qs(body.decode("utf-8", "replace")).get("password") or [""])[0]
    identify(request, key)
    return {"access_token": key, "token_type": "bearer"}


@router.get("/auth/token/valid")
def valid(caller: User) -> dict[str, str]:
    """Whose key this is."""
    return {"username": caller.name}


@router.get("/info/")
def info(service: Serving, caller: User) -> dict[str, Any]:
    """What this server can do, in MONAI Label's words."""
    models = {
        m.name: {
            "type": _TYPES.get(m.about["answer"], "others"),
            "dimension": m.about["dims"],
            "labels": {x["name"]: x["value"] for x in m.about["labels"]},
            "description": f"Vesalius {m.about['task']} of {m.about['answer']}; for research, not a medical device",
            "config": {},
        }
        for m in service.models.by_name.values()
    }
    return {
        "name": "Vesalius",
        "description": "Vesalius bundles; for research, not a medical device",
        "version": __version__,
        "labels": list(dict.fromkeys(name for m in models.values() for name in m["labels"])),
        "models": models,
        "trainers": {},
        "strategies": {name: {"description": text} for name, text in _STRATEGIES.items()},
        "scoring": {},
        "train_stats": {},
        "datastore": _status(service, caller),
        "config": {"infer": {}, "train": {}, "activelearning": {}},
    }


@router.post("/infer/{model}")
async def infer(
    request: Request,
    model: str,
    service: Serving,
    caller: User,
    image: Id = "",
    session_id: Annotated[str, Query(max_length=64)] = "",
    output: Literal["image", "json", "all", "dicom_seg"] = "all",
) -> Response:
    """A model's answer about an image of the datastore, of a session, or that comes with the request as `file`."""
    found = service.models.get(model)
    study, case = await _asked(request, service, caller, image, session_id)
    job = service.ask(caller, found, study, case.id)
    if not await wait(service, job, service.bounds.wait_s):
        service.jobs.cancel(job)
        raise Problem(408, "the answer takes too long", hint="POST /api/jobs, which does not wait")
    return _answered(service, job, case, output)


async def _asked(
    request: Request, service: Service, caller: Caller, image: str, session_id: str
) -> tuple[Study, StoredCase]:
    """The image that is meant. Raises Problem."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        with service.studies.folder(caller) as (study_id, folder):
            form = await uploads.receive(request, folder, service.bounds, service.studies.room(study_id))
            files = [f for f in form.files if f.field == "file"]
            if files and not session_id:
                study = await run_in_threadpool(service.studies.add, study_id, folder, files, caller)
                service.uploaded(caller, study, len(files))
                return study, study.cases[0]
            shutil.rmtree(folder, ignore_errors=True)
    if session_id:
        study = service.studies.get(session_id, caller)
        return study, study.cases[0]
    if not image:
        raise Problem(422, "no image, no file and no session")
    return service.shelves.find(image, caller)


def _answered(service: Service, job: Job, case: StoredCase, output: str) -> Response:
    """A job's answer as MONAI Label's client takes it."""
    if case.id not in job.answers:
        error = job.error or {"error": f"the job is {job.status}"}
        raise Problem(422, error["error"], found=error.get("found"), hint=error.get("hint"))
    row, written = job.answers[case.id], job.files[case.id]
    params = {
        "label_names": {x["name"]: x["value"] for x in job.model.about["labels"]},
        "kind": row["kind"],
        "summary": row["summary"],
    }
    if output == "dicom_seg":
        if "seg.dcm" not in written:
            raise Problem(422, "there is no SEG of this answer", hint="a mask on a DICOM image")
        return sent(written["seg.dcm"], "application/dicom", name="seg.dcm")
    mask = next((written[n] for n in ("mask.nii.gz", "map.nii.gz", "picture.nii.gz") if n in written), None)
    if output == "image":
        if mask is None:
            raise Problem(422, "this answer is no image", hint="output=json")
        return sent(mask, "application/gzip", name="answer.nii.gz")
    if output == "json" or mask is None:
        return JSONResponse(params)
    return _multipart(params, mask)


def _multipart(params: Mapping[str, Any], path: Path) -> Response:
    """The JSON and the file as two parts of a form."""
    edge = secrets.token_hex(16)
    lines = [
        f"--{edge}", 'Content-Disposition: form-data; name="params"', "Content-Type: application/json", "",
        json.dumps(params),
        f"--{edge}", f'Content-Disposition: form-data; name="image"; filename="{secrets.token_hex(8)}.nii.gz"',
        "Content-Type: application/gzip", "", "",
    ]  # fmt: skip
    body = "\r\n".join(lines).encode() + path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
    return Response(body, media_type=f"multipart/form-data; boundary={edge}")


@router.get("/datastore/")
def datastore(service: Serving, caller: User, output: Literal["train", "stats", "all"] = "stats") -> Any:
    """The caller's images and labels."""
    if output == "stats":
        return _status(service, caller)
    store = service.shelves
    images = store.images(caller)
    if output == "train":
        return [{"image": i, "label": i} for i, (s, _) in images.items() if FINAL in store.shelf(s).labels]
    objects = {
        image: {
            "image": {"ext": ".nii.gz", "info": _image_info(study, case, store.shelf(study))},
            "labels": {
                tag: {"ext": _ext(path), "info": said}
                for tag, (path, said) in store.shelf(study).labels.items()
            },
        }
        for image, (study, case) in images.items()
    }
    return {"name": "Vesalius", "description": "studies of this key; temporary", "objects": objects}


@router.put("/datastore/", openapi_extra=wire.multipart(files="file", many=False))
@router.put("/datastore/image", openapi_extra=wire.multipart(files="file", many=False))
async def add_image(request: Request, service: Serving, caller: User, image: Id = "") -> dict[str, str]:
    """Upload one image under a name of the client's choosing; another of that name goes."""
    store = service.shelves
    study, fields = await take(request, service, caller, "file")
    if len(study.cases) != 1:
        service.forget(study)
        raise Problem(422, "one image at a time", found=f"{len(study.cases)} images")
    alias = image or formats.stem(next(iter(study.labels.values()), study.id))
    old = store.images(caller).get(alias)
    shelf = store.shelf(study)
    shelf.alias, shelf.info = alias, _object(fields.get("params", "{}"))
    if old is not None:
        service.forget(old[0])
    return {"image": alias}


@router.delete("/datastore/")
@router.delete("/datastore/image")
def remove_image(service: Serving, caller: User, id: Id) -> dict[str, str]:
    """Remove an image with its labels and answers."""
    study, _ = service.shelves.find(id, caller)
    service.forget(study)
    service.audit.add(caller.name, "delete", study=study.id)
    return {}


@router.head("/datastore/image")
def check_image(
    service: Serving, caller: User, image: Id, check_sum: Annotated[str | None, Query(max_length=160)] = None
) -> Response:
    """Whether there is such an image, of that check sum (`SHA256:…`, of the file that was uploaded)."""
    _, case = service.shelves.find(image, caller)
    if check_sum is not None:
        ref = case.case.images[case.case.reference]
        algorithm, _, digest = check_sum.rpartition(":")
        same = isinstance(ref, Ref) and len(ref.paths) == 1 and (algorithm or "SHA256").upper() == "SHA256"
        if not (same and isinstance(ref, Ref) and sha256(ref.paths[0]) == digest.lower()):
            raise missing("image")
    return Response()


@router.get("/datastore/image", response_class=Response)
def get_image(service: Serving, caller: User, image: Id) -> Response:
    """The image as NIfTI; of a cine or of several channels the first, as its clients know three axes."""
    study, case = service.shelves.find(image, caller)
    service.audit.add(caller.name, "look", study=study.id)
    return sent(service.studies.image(study, case, first=True), "application/gzip", name=f"{case.id}.nii.gz")


@router.get("/datastore/image/info")
def image_info(service: Serving, caller: User, image: Id) -> dict[str, Any]:
    """What is known of an image."""
    store = service.shelves
    study, case = store.find(image, caller)
    return _image_info(study, case, store.shelf(study))


@router.put("/datastore/label", openapi_extra=wire.multipart(files="label", many=False))
async def save_label(
    request: Request, service: Serving, caller: User, image: Id, tag: Tag = FINAL
) -> dict[str, str]:
    """Keep a label of an image under a tag."""
    store = service.shelves
    study, _ = store.find(image, caller)
    service.studies.check_room()
    with service.studies.held(study):
        folder = study.folder / "labels" / secrets.token_hex(8)
        folder.mkdir(parents=True)
        try:
            form = await uploads.receive(request, folder, service.bounds, service.studies.check_room)
            files = [uploads.settled(f) for f in form.files if f.field == "label"]
            if len(files) != 1:
                raise Problem(422, "one label is needed", found=str(len(files)))
            await run_in_threadpool(formats.header, files[0].path)  # it must be one that can be read
            shelf = store.shelf(study)
            if tag not in shelf.labels and len(shelf.labels) >= _MOST_LABELS:
                raise Problem(429, "too many labels of one image")
            old = shelf.labels.get(tag)
            shelf.labels[tag] = (files[0].path, _object(form.fields.get("params", "{}")))
            service.studies.grow(study, files[0].size)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if old is not None:
        _drop(service, study, old[0])
    service.audit.add(caller.name, "label", study=study.id)
    return {"image": image, "label": image}


def _label(service: Service, caller: Caller, label: str, tag: str) -> tuple[Study, Path, dict[str, Any]]:
    study, _ = service.shelves.find(label, caller)
    shelf = service.shelves.shelf(study)
    if tag not in shelf.labels or not shelf.labels[tag][0].is_file():
        raise missing("label")
    return study, *shelf.labels[tag]


def _drop(service: Service, study: Study, label: Path) -> None:
    service.studies.grow(study, -label.stat().st_size)
    shutil.rmtree(label.parent, ignore_errors=True)


@router.get("/datastore/label", response_class=Response)
def get_label(service: Serving, caller: User, label: Id, tag: Tag = FINAL) -> Response:
    """A label as it was saved."""
    _, path, _ = _label(service, caller, label, tag)
    return sent(path, "application/octet-stream", name=f"label{_ext(path)}")


@router.head("/datastore/label")
def check_label(service: Serving, caller: User, image: Id, tag: Tag = FINAL) -> Response:
    """Whether an image has a label under a tag."""
    _label(service, caller, image, tag)
    return Response()


@router.get("/datastore/label/info")
def label_info(service: Serving, caller: User, label: Id, tag: Tag = FINAL) -> dict[str, Any]:
    """What was said with a label when it was saved."""
    return _label(service, caller, label, tag)[2]


@router.delete("/datastore/label")
def remove_label(service: Serving, caller: User, id: Id, tag: Tag = FINAL) -> dict[str, str]:
    """Remove a label."""
    study, path, _ = _label(service, caller, id, tag)
    service.shelves.shelf(study).labels.pop(tag, None)
    _drop(service, study, path)
    return {}


@router.put("/session/", openapi_extra=wire.multipart())
async def new_session(request: Request, service: Serving, caller: User) -> dict[str, Any]:
    """Upload an image, or the files of one, to be asked about by the session's id."""
    study, _ = await take(request, service, caller)
    return {"session_id": study.id, "session_info": study.json()}


@router.get("/session/{session_id}")
def session(session_id: str, service: Serving, caller: User) -> dict[str, Any]:
    """One session."""
    return service.studies.get(session_id, caller).json()


@router.delete("/session/{session_id}")
def remove_session(session_id: str, service: Serving, caller: User) -> dict[str, Any]:
    """End a session; its files go."""
    study = service.studies.get(session_id, caller)
    service.forget(study)
    service.audit.add(caller.name, "delete", study=study.id)
    return study.json()


@router.post("/activelearning/{strategy}")
def next_sample(
    strategy: str, service: Serving, caller: User, params: Annotated[dict[str, Any] | None, Body()] = None
) -> dict[str, Any]:
    """An image without a label; nothing where all have one."""
    if strategy not in _STRATEGIES:
        raise Problem(404, "no such strategy", hint=", ".join(_STRATEGIES))
    store = service.shelves
    images = store.images(caller)
    open_ = [i for i, (study, _) in images.items() if FINAL not in store.shelf(study).labels]
    if not open_:
        return {}
    image = random.choice(open_) if strategy == "random" else open_[0]
    study, case = images[image]
    return {"id": image, **_image_info(study, case, store.shelf(study))}


@router.get("/train/")
def train_status(caller: User, check_if_running: bool = False) -> dict[str, Any]:
    """404: nothing is being trained here, as MONAI Label says it."""
    raise Problem(404, "no training is running", hint="vesalius fit")


@router.post("/train/")
@router.post("/train/{model}")
def train(
    caller: Admin, model: str = "", params: Annotated[dict[str, Any] | None, Body()] = None
) -> dict[str, Any]:
    """404: this service does not train."""
    raise Problem(404, "this service does not train", hint="vesalius fit, on the saved labels")


@router.delete("/train/")
def train_stop(caller: Admin) -> dict[str, Any]:
    """Nothing to stop."""
    return {}


@router.get("/logs/", response_class=PlainTextResponse)
def logs(service: Serving, caller: Admin, lines: Annotated[int, Query(ge=0, le=10_000)] = 300) -> str:
    """The end of the audit log, as text."""
    return "".join(json.dumps(line) + "\n" for line in service.audit.last(lines))


def _status(service: Service, caller: Caller) -> dict[str, Any]:
    store = service.shelves
    shelves = [store.shelf(study) for study, _ in store.images(caller).values()]
    tags = [tag for shelf in shelves for tag in shelf.labels]
    return {
        "total": len(shelves),
        "completed": sum(FINAL in shelf.labels for shelf in shelves),
        "label_tags": {tag: tags.count(tag) for tag in dict.fromkeys(tags)},
        "train": [],
    }


def _image_info(study: Study, case: StoredCase, shelf: Shelf) -> dict[str, Any]:
    return {**shelf.info, "name": case.name, "ts": int(study.created), **case.about}


def _object(text: str) -> dict[str, Any]:
    """A JSON object out of a form's field. Raises Problem 422."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise Problem(422, "params must be JSON") from error
    if not isinstance(found, dict):
        raise Problem(422, "params must be a JSON object")
    return found


def _ext(path: Path) -> str:
    return uploads.suffix(path.name)
