"""A case's truth over HTTP: given as a file, looked at, taken away."""

from __future__ import annotations

import secrets
import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from vesalius.serve.http import schemas, uploads
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.endpoints import CaseId, StudyId, file_response
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.service import Service
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.truth import Truth, read_truth

router = APIRouter(
    prefix="/api/studies/{study}/cases/{case}/truth",
    tags=["studies"],
    responses={code: {"model": schemas.ErrorBody} for code in (400, 401, 403, 404, 413, 415, 422, 429)},
)
ModelName = Annotated[str | None, Query(max_length=64)]


@router.put("", response_model=schemas.TruthBody, openapi_extra=schemas.multipart(files="truth", many=False))
async def give(
    request: Request, study: StudyId, case: CaseId, service: Serving, caller: User, model: ModelName = None
) -> Any:
    """Give a case's true labels as a file: a mask as NIfTI, NRRD or PNG, a DICOM SEG or RTSTRUCT drawn on its image.

    Labels that the file does not name are called as `model` calls those of the same value. Another truth of the case
    goes.
    """
    found = await run_in_threadpool(service.studies.get, study, caller)
    about = found.case(case)
    await run_in_threadpool(service.studies.check_room)
    with service.studies.in_use(found):
        folder = found.folder / "truth" / f"{about.id}-{secrets.token_hex(8)}"
        folder.mkdir(parents=True)
        try:
            form = await uploads.receive(request, folder, service.bounds, service.studies.check_room)
            files = [uploads.with_suffix(f) for f in form.files if f.field == "truth"]
            if len(files) != 1:
                raise Problem(422, "one file in the field 'truth' is needed", found=str(len(files)))
            truth = await run_in_threadpool(read_truth, files[0], about, folder / "read")
            files[0].path.unlink()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        await run_in_threadpool(_keep, service, found, about, truth)
    service.audit.add(caller.name, "truth", {"study": found.id})
    return truth.json(found, about, _named(service, model))


@router.get("", response_model=schemas.TruthBody, responses={204: {"description": "nobody gave one"}})
def look(study: StudyId, case: CaseId, service: Serving, caller: User, model: ModelName = None) -> Any:
    """Return a case's truth; 204 where nobody gave one."""
    found = service.studies.get(study, caller)
    about = found.case(case)
    truth = service.truths.get(found, about)
    return Response(status_code=204) if truth is None else truth.json(found, about, _named(service, model))


@router.get("/mask.nii.gz", response_class=Response)
def mask(study: StudyId, case: CaseId, service: Serving, caller: User) -> Response:
    """Return the labels on the image's grid."""
    found, _, truth = _held(service, study, case, caller)
    service.audit.add(caller.name, "look", {"study": found.id})
    return file_response(truth.path, "application/gzip", name="truth.nii.gz")


@router.delete("", status_code=204)
def take_away(study: StudyId, case: CaseId, service: Serving, caller: User) -> Response:
    """Remove a case's truth."""
    found, about, _ = _held(service, study, case, caller)
    _drop(service, found, service.truths.remove(found, about))
    service.audit.add(caller.name, "delete", {"study": found.id, "file": "truth"})
    return Response(status_code=204)


def _held(service: Service, study: str, case: str, caller: User) -> tuple[UploadedStudy, StoredCase, Truth]:
    found = service.studies.get(study, caller)
    about = found.case(case)
    truth = service.truths.get(found, about)
    if truth is None:
        raise not_found("truth")
    return found, about, truth


def _keep(service: Service, study: UploadedStudy, case: StoredCase, truth: Truth) -> None:
    service.studies.grow(study, truth.path.stat().st_size)
    _drop(service, study, service.truths.put(study, case, truth))


def _named(service: Service, model: str | None) -> Any:
    return service.models.get(model).about if model else None


def _drop(service: Service, study: UploadedStudy, truth: Truth | None) -> None:
    if truth is None:
        return
    size = truth.path.stat().st_size if truth.path.is_file() else 0
    service.studies.grow(study, -size)
    shutil.rmtree(truth.path.parent, ignore_errors=True)
