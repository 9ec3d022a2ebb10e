"""Jobs as rows: what is asked, which never changes, and how far it is, which any process may have changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.job import InferenceJob
from vesalius.serve.http.shared.written import case_json, read_case
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.visits import EarlierVisit

JOB = (
    "id, owner, study, earlier, model, served, asked, created_s, finished_s, status, stage, error, refusal,"
    " version, size"
)
CASE = "job, id, state, share, said, files"
Row = tuple[Any, ...]


def served(model: ServedModel) -> str:
    """Return what a job asks for: a model by its name and its bundle's hash, since another may have the name later."""
    return f"{model.name} {model.bundle.hash}"


def joint(job: InferenceJob) -> str:
    """Return what all jobs have in common whose cases may go through a model together; empty for one by itself."""
    if job.kind != "predict" or job.doubt is not None or not job.model.joins:
        return ""
    return f"{served(job.model)} {job.accept_mismatch:d}{job.refuse_unlike:d}"


def asked_text(job: InferenceJob) -> str:
    """Return what is asked as JSON."""
    earlier = job.earlier
    return json.dumps(
        {
            "kind": job.kind,
            "explainer": job.explainer,
            "ask": job.ask,
            "accept_mismatch": job.accept_mismatch,
            "covariates": dict(job.covariates),
            "doubt": None if job.doubt is None else list(job.doubt),
            "refuse_unlike": job.refuse_unlike,
            "cases": [_case(case, job.study) for case in job.cases],
            "earlier": None
            if earlier is None
            else {
                "case": earlier.case.id,
                "days": earlier.days,
                "registration": earlier.registration,
                "accept": earlier.accept,
            },
        }
    )


def job_of(
    row: Row, studies: Mapping[str, UploadedStudy], models: Mapping[str, ServedModel], root: Path
) -> InferenceJob | None:
    """Return a job as it was asked for; None where a study of it has gone. `models` are those of this process."""
    job_id, owner, study_id, earlier_id, model, asks, text, created = row[:8]
    study, before = studies.get(study_id), studies.get(earlier_id)
    said = json.loads(text)
    visit = said["earlier"]
    if study is None or (visit is not None and before is None):
        return None
    earlier = None
    if visit is not None and before is not None:
        case = before.case(visit["case"])
        earlier = EarlierVisit(before, case, visit["days"], visit["registration"], visit["accept"])
    here = models.get(model)
    return InferenceJob(
        job_id,
        owner,
        model,
        here if here is not None and served(here) == asks else None,
        study,
        tuple(_case_of(one, study) for one in said["cases"]),
        said["kind"],
        root / job_id,
        said["explainer"],
        said["ask"],
        said["accept_mismatch"],
        said["covariates"],
        None if said["doubt"] is None else (said["doubt"][0], said["doubt"][1]),
        said["refuse_unlike"],
        earlier,
        created=created,
        version=-1,
    )


def update(job: InferenceJob, row: Row, cases: Sequence[Row]) -> None:
    """Put how far a job is into it. `cases` are the rows of its cases."""
    finished, status, stage, error, refusal, version, size = row[8:]
    if version <= job.version:
        return
    job.finished, job.status, job.stage, job.refusal, job.size = finished, status, stage, refusal, size
    job.error = None if error is None else json.loads(error)
    for _, case_id, state, share, said, files in cases:
        job.shares[case_id] = share
        if state == "answered":
            job.answers[case_id] = json.loads(said)
            job.files[case_id] = {name: job.folder / path for name, path in json.loads(files).items()}
        elif state == "failed":
            job.failures[case_id] = json.loads(said)
    job.version = version


def _case(case: StoredCase, study: UploadedStudy) -> Any:
    own = next((one for one in study.cases if one.id == case.id), None)
    return case.id if own is case or own == case else case_json(case, study.folder)


def _case_of(said: Any, study: UploadedStudy) -> StoredCase:
    return study.case(said) if isinstance(said, str) else read_case(said, study.folder)
