"""A report over HTTP: looked at with all its versions, changed by a person, taken away as DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from vesalius import formats
from vesalius.answers import contract
from vesalius.core.edit import Edit
from vesalius.core.errors import GeometryError, OutputError
from vesalius.core.image_digest import image_digest
from vesalius.dicom.write.sr_edit import person_name
from vesalius.prepare.case import load_reference
from vesalius.serve.edits.kept import KeptEdit
from vesalius.serve.edits.store import MOST_VERSIONS, Conflict, EditStore, Report
from vesalius.serve.http import schemas
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.edit_schemas import EditRequest, ReportBody
from vesalius.serve.http.endpoints import CaseId, JobId, file_response
from vesalius.serve.http.job import InferenceJob
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.service import Service

router = APIRouter(
    prefix="/api/jobs/{job}/reports/{case}",
    tags=["jobs"],
    responses={code: {"model": schemas.ErrorBody} for code in (400, 401, 403, 404, 409, 413, 422, 429, 507)},
)


@router.get("", response_model=ReportBody)
def look(
    job: JobId,
    case: CaseId,
    service: Serving,
    caller: User,
    version: Annotated[int | None, Query(ge=0, le=MOST_VERSIONS)] = None,
) -> Any:
    """Return a report as the model wrote it and as people have changed it since: one version's text, by default the
    newest's, and who saved the others when. Version 0 is the model's own.

    Versions belong to the image, by its content, and the model: they are there again when both come again.
    """
    found, written = _report(service, job, case, caller)
    edits = service.edits.of(_key(service, found, case)) if service.edits is not None else ()
    return _body(service, found, case, written, edits, shown=version)


@router.put("", response_model=ReportBody)
def save(asked: EditRequest, job: JobId, case: CaseId, service: Serving, caller: User) -> Any:
    """Save a changed report as its next version. When this is answered, it is on the disk.

    409 where somebody has saved another version since the one that was changed: nothing is written over.
    """
    found, written = _report(service, job, case, caller)
    store = _store(service)
    _check(asked, written)
    report = _key(service, found, case)

    def write_down(edit: Edit) -> None:
        service.audit.add(caller.name, "edit", {"study": found.study.id, "job": found.id, "edit": edit.id})

    try:
        store.save(
            report,
            asked.sections,
            seen=asked.version,
            author=" ".join(asked.author.split()),
            written=written,
            model=found.model.name,
            caller=caller.name,
            verified=asked.verified,
            organisation=asked.organisation.strip(),
            before=write_down,
        )
    except Conflict as conflict:
        edit = conflict.latest.edit
        raise Problem(
            409,
            f"somebody has saved version {edit.version} of this report since",
            found=f"{edit.author} at {edit.at}",
            hint="look at it, and put your changes into it",
        ) from None
    return _body(service, found, case, written, store.of(report))


@router.get(
    "/sr.dcm",
    response_class=Response,
    responses={200: {"content": {"application/dicom": {"schema": {"type": "string", "format": "binary"}}}}},
)
def sr(
    job: JobId,
    case: CaseId,
    service: Serving,
    caller: User,
    version: Annotated[int | None, Query(ge=1, le=MOST_VERSIONS)] = None,
) -> Response:
    """Return a version of a changed report, by default the newest, as a DICOM SR that names its author."""
    found, _ = _report(service, job, case, caller)
    edits = _store(service).of(_key(service, found, case))
    chosen = _wanted(edits, version)
    if chosen is None or not _is_dicom(found, case):
        raise not_found("version")
    path = _written(found, case, chosen)
    service.audit.add(caller.name, "download", {"job": found.id, "file": "sr.dcm"})
    return file_response(path, "application/dicom", name=f"report-{chosen.edit.version}.sr.dcm")


def _written(job: InferenceJob, case: str, kept: KeptEdit) -> Path:
    """Write an edit's SR into its job's folder, once. Raises Problem 422 for what DICOM cannot hold."""
    folder = job.files[case]["answer.json"].parent
    path = folder / f"answer.edit-{kept.edit.id}.sr.dcm"
    if path.is_file():
        return path
    answer = formats.read_answer(job.files[case]["answer.json"])
    changed = contract.of(answer).edited(answer, kept.sections, kept.edit)
    source = load_reference(next(c for c in job.cases if c.id == case).case)
    try:
        return formats.write(changed, path, source=source)
    except (OutputError, GeometryError) as error:
        raise Problem(422, error.what, found=error.found) from error


def _wanted(edits: tuple[KeptEdit, ...], version: int | None) -> KeptEdit | None:
    if version is None:
        return edits[-1] if edits else None
    return edits[version - 1] if version <= len(edits) else None


def _report(service: Service, job: str, case: str, caller: Caller) -> tuple[InferenceJob, dict[str, str]]:
    """Return a job and the sections that its model wrote about a case. Raises Problem 404 where there are none."""
    found = service.jobs.get(job, caller)
    row = found.answers.get(case)
    if row is None or found.kind != "predict" or row["answer"].get("withheld"):
        raise not_found("report")
    field = contract.of(row["kind"]).changeable
    sections = row["answer"].get(field) if field else None
    if not isinstance(sections, dict):
        raise not_found("report")
    return found, {str(k): str(v) for k, v in sections.items()}


def _store(service: Service) -> EditStore:
    if service.edits is None:
        raise Problem(
            403,
            "this service keeps no edits of reports",
            hint="tell who runs it: it can be started to keep them",
        )
    return service.edits


def _check(asked: EditRequest, written: dict[str, str]) -> None:
    """Raise Problem 422 for sections that the report has not, for one that says nothing, or for a name that is none."""
    strange = sorted(set(asked.sections) - set(written))
    if strange:
        raise Problem(422, "the report has no such section", found=strange[0][:64], hint=", ".join(written))
    if not any(text.strip() for text in asked.sections.values()):
        raise Problem(422, "an empty report", hint="a sentence")
    if any(not (c.isprintable() or c in "\n\t") for text in asked.sections.values() for c in text):
        raise Problem(422, "a report holds letters, not control characters")
    if asked.verified and not asked.organisation.strip():
        raise Problem(
            422, "a verified report names the organisation that answers for it", hint='"organisation": …'
        )
    if not asked.organisation.isprintable() or "\\" in asked.organisation:
        raise Problem(422, "not an organisation's name", found=asked.organisation[:64])
    try:
        person_name(asked.author)
    except OutputError as error:
        raise Problem(422, error.what, found=error.found, hint=error.hint) from error


def _key(service: Service, job: InferenceJob, case: str) -> Report:
    """Return what a report is known by. Raises Problem 404 where its images have gone."""
    stored = next(c for c in job.cases if c.id == case)
    digest = service.digests.get((job.study.id, case))
    if digest is None:
        digest = image_digest(stored.case)
        if digest is None:
            raise not_found("report")
        service.digests[job.study.id, case] = digest
    return digest, job.model.bundle.hash


def _is_dicom(job: InferenceJob, case: str) -> bool:
    return next(c for c in job.cases if c.id == case).dicom


def _body(
    service: Service,
    job: InferenceJob,
    case: str,
    written: dict[str, str],
    edits: tuple[KeptEdit, ...],
    *,
    shown: int | None = None,
) -> dict[str, Any]:
    """Return a report with the text of the version `shown`, the newest where none is asked for.

    Raises Problem 404 for a version that is not there.
    """
    chosen = _wanted(edits, shown) if shown != 0 else None
    if shown and chosen is None:
        raise not_found("version")
    return {
        "kept": service.edits is not None,
        "version": len(edits),
        "shown": chosen.edit.version if chosen is not None else 0,
        "written": written,
        "sections": dict(chosen.sections if chosen is not None else written),
        "edits": [
            {
                "version": e.edit.version,
                "author": e.edit.author,
                "at": e.edit.at,
                "caller": e.caller,
                "verified": e.edit.verified,
                "organisation": e.edit.organisation,
            }
            for e in edits
        ],
        "sr": f"/api/jobs/{job.id}/reports/{case}/sr.dcm" if edits and _is_dicom(job, case) else None,
    }
