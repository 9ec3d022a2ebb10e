"""Questions about an answer over HTTP: what it states, and a language model beside it where one is allowed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from vesalius.adjunct.asking import beside
from vesalius.answers import contract as handling
from vesalius.core.answers import Answer
from vesalius.core.encoding import from_text
from vesalius.core.errors import DataError
from vesalius.questions.replying import replied
from vesalius.serve.http import schemas
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.endpoints import CaseId, JobId
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.service import Service

ANSWER = "answer.json"
router = APIRouter(
    prefix="/api",
    responses={code: {"model": schemas.ErrorBody} for code in (400, 401, 403, 404, 413, 422, 429)},
)


@router.get("/adjunct", response_model=schemas.OffersBody, tags=["service"])
def adjunct(service: Serving, caller: User) -> Any:
    """Return which language model callers may ask beside an answer: its host, or null where there is none."""
    return {"server": None if service.llm is None else service.llm.host}


@router.post("/jobs/{job}/cases/{case}/questions", response_model=schemas.RepliesBody, tags=["jobs"])
async def question(
    job: JobId, case: CaseId, asked: schemas.QuestionRequest, service: Serving, caller: User
) -> Any:
    """Answer a question about an answer that is there, from what it states; "cannot tell" where it does not.

    With `adjunct` the language model that the administrator named is asked beside; only findings leave for it.
    """
    answer = await run_in_threadpool(_answer, service, job, case, caller)
    replies = await run_in_threadpool(replied, answer, asked.question, sure=asked.sure)
    found: dict[str, Any] = {"replies": [reply.json() for reply in replies], "adjunct": None, "silent": ""}
    if asked.adjunct:
        if service.llm is None:
            raise Problem(
                422, "no language model is asked by this service", hint="vesalius serve BUNDLE --llm URL"
            )
        service.audit.add(caller.name, "adjunct", {"job": job, "server": service.llm.host})
        try:
            made = await run_in_threadpool(beside, handling.states(answer), service.llm)
        except DataError as error:  # the answer itself stands without it
            return {**found, "silent": str(error)}
        found["adjunct"] = made.json()
    return found


def _answer(service: Service, job: str, case: str, caller: User) -> Answer:
    """Return an answer as it was written. Raises Problem 404 where there is none."""
    found = service.jobs.get(job, caller)
    answer: Answer = from_text(service.file(found, case, ANSWER).read_text(encoding="utf-8"))
    return answer
