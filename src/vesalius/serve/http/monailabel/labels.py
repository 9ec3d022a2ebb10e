"""Labels that are drawn on images of the datastore, by tag."""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from vesalius import formats
from vesalius.core.errors import VesaliusError
from vesalius.serve.http import schemas, uploads
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.datastore import FINAL, DatastoreEntry, ImageId, params
from vesalius.serve.http.endpoints import file_response
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.monailabel.project_labels import drawing_of, project_case, save_drawing
from vesalius.serve.http.problems import Problem, error_body, not_found
from vesalius.serve.http.service import Service
from vesalius.serve.http.study import UploadedStudy

router = APIRouter()
_MOST = 16  # of one image
Label = tuple[Path, dict[str, Any]]
Tag = Annotated[str, Query(max_length=64)]


@router.put("/datastore/label", openapi_extra=schemas.multipart(files="label", many=False))
async def save_label(
    request: Request, service: Serving, caller: User, image: ImageId, tag: Tag = FINAL
) -> dict[str, str]:
    """Keep a label of an image under a tag; of a case of an annotation project as the annotator's next version."""
    store = service.datastore
    study, _ = await run_in_threadpool(store.find, image, caller)
    await run_in_threadpool(service.studies.check_room)
    with service.studies.in_use(study):
        folder = study.folder / "labels" / secrets.token_hex(8)
        folder.mkdir(parents=True)
        try:
            form = await uploads.receive(request, folder, service.bounds, service.studies.check_room)
            files = [uploads.with_suffix(f) for f in form.files if f.field == "label"]
            if len(files) != 1:
                raise Problem(422, "one label is needed", found=str(len(files)))
            about = await run_in_threadpool(project_case, service, caller, study)
            if about is not None:
                told = params(form.fields.get("params", "{}"))
                await run_in_threadpool(save_drawing, service, caller, about, files[0], tag, told)
                shutil.rmtree(folder, ignore_errors=True)
                place = (
                    study.folder / "labels" / "project" / "label.nii.gz"
                )  # where none lies: the project has it
                await run_in_threadpool(
                    store.change, study, lambda entry: entry.labels.__setitem__(tag, (place, told))
                )
                return {"image": image, "label": image}
            await run_in_threadpool(_readable, files[0])
            label = (files[0].path, params(form.fields.get("params", "{}")))
            old = await run_in_threadpool(store.change, study, lambda entry: _put(entry, tag, label))
            await run_in_threadpool(service.studies.grow, study, files[0].size)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if old is not None:
        await run_in_threadpool(_drop, service, study, old[0])
    await run_in_threadpool(service.audit.add, caller.name, "label", {"study": study.id})
    return {"image": image, "label": image}


def _put(entry: DatastoreEntry, tag: str, label: Label) -> Label | None:
    """Put a label under a tag in the place of another, which is returned. Raises Problem 429 for one too many."""
    if tag not in entry.labels and len(entry.labels) >= _MOST:
        raise Problem(429, "too many labels of one image")
    old = entry.labels.get(tag)
    entry.labels[tag] = label
    return old


def _readable(item: uploads.Received) -> None:
    """Raises Problem 422 for a file that is no label map, by the name that the client gave it."""
    try:
        formats.header(item.path)
    except VesaliusError as error:
        said = {k: v and v.replace(str(item.path), item.label) for k, v in error_body(error).items()}
        raise Problem(422, str(said["error"]), found=said["found"], hint=said["hint"]) from error


def _label(
    service: Service, caller: Caller, label: str, tag: str
) -> tuple[UploadedStudy, Path, dict[str, Any]]:
    study, _ = service.datastore.find(label, caller)
    about = project_case(service, caller, study)
    if about is not None:
        drawn = drawing_of(about, tag)
        if drawn is None:
            raise not_found("label")
        return study, drawn[0], {"version": drawn[1].version, "at": drawn[1].at}
    found = service.datastore.entry(study).labels.get(tag)  # once: another may remove it
    if found is None or not found[0].is_file():
        raise not_found("label")
    return study, *found


def _drop(service: Service, study: UploadedStudy, label: Path) -> None:
    with suppress(FileNotFoundError):  # the study has just gone, and this with it
        service.studies.grow(study, -label.stat().st_size)
    shutil.rmtree(label.parent, ignore_errors=True)


@router.get("/datastore/label", response_class=Response)
def get_label(service: Serving, caller: User, label: ImageId, tag: Tag = FINAL) -> Response:
    """Return a label as it was saved."""
    study, path, _ = _label(service, caller, label, tag)
    service.audit.add(caller.name, "download", {"study": study.id, "file": "label"})
    return file_response(path, "application/octet-stream", name=f"label{uploads.suffix(path.name)}")


@router.head("/datastore/label")
def check_label(service: Serving, caller: User, image: ImageId, tag: Tag = FINAL) -> Response:
    """Return whether an image has a label under a tag."""
    _label(service, caller, image, tag)
    return Response()


@router.get("/datastore/label/info")
def label_info(service: Serving, caller: User, label: ImageId, tag: Tag = FINAL) -> dict[str, Any]:
    """Return what was said with a label when it was saved."""
    return _label(service, caller, label, tag)[2]


@router.delete("/datastore/label")
def remove_label(service: Serving, caller: User, id: ImageId, tag: Tag = FINAL) -> dict[str, str]:
    """Remove a label; one on a case of an annotation project is kept, as all its versions are."""
    study, _, _ = _label(service, caller, id, tag)
    if project_case(service, caller, study) is not None:
        raise Problem(409, "what was saved of a project's case stays", hint="save another version")
    kept = service.datastore.change(study, lambda entry: entry.labels.pop(tag, None))
    if kept is not None:
        _drop(service, study, kept[0])
    service.audit.add(caller.name, "delete", {"study": study.id, "file": "label"})
    return {}
