"""The surfaces of a job's answer, over HTTP: a mesh for the viewer, and a picture where that cannot draw one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from vesalius.core.errors import VesaliusError
from vesalius.serve.http import schemas, surfaces
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.endpoints import CaseId, JobId, file_response
from vesalius.serve.http.problems import problem_of
from vesalius.serve.http.service import Service

router = APIRouter(
    prefix="/api",
    tags=["jobs"],
    responses={code: {"model": schemas.ErrorBody} for code in (400, 401, 403, 404, 422, 429, 507)},
)


def _bytes(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}}


@router.get(
    f"/jobs/{{job}}/cases/{{case}}/{surfaces.GLB}",
    response_class=Response,
    responses=_bytes(surfaces.TYPES[surfaces.GLB]),
)
def mesh(job: JobId, case: CaseId, service: Serving, caller: User) -> Response:
    """Return closed surfaces about an answer's labels as binary glTF: a node a label, about 60,000 faces at most.

    Vertices stand as LPS millimetres, and each node's matrix takes them to glTF's metres. They are made when they are
    first asked for, and kept with the answer.
    """
    return _file(service, job, case, caller, surfaces.GLB)


@router.get(
    f"/jobs/{{job}}/cases/{{case}}/{surfaces.PNG}",
    response_class=Response,
    responses=_bytes(surfaces.TYPES[surfaces.PNG]),
)
def picture(job: JobId, case: CaseId, service: Serving, caller: User) -> Response:
    """Return a picture of the same surfaces from three sides, for who cannot draw the mesh."""
    return _file(service, job, case, caller, surfaces.PNG)


def _file(service: Service, job: str, case: str, caller: User, name: str) -> Response:
    found = service.jobs.get(job, caller)
    held = service.file(found, case, "answer.json")
    try:
        with service.studies.in_use(found.study):
            path = surfaces.made(held, name)
    except VesaliusError as error:
        raise problem_of(error, found.study.plainly) from error
    service.audit.add(caller.name, "look", {"job": found.id, "file": name})
    return file_response(path, surfaces.TYPES[name], name=name)
