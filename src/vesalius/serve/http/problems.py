"""What an HTTP client is told when something cannot be: one body for all of it, `{"error", "found", "hint"}`."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Send

from vesalius.core import fields
from vesalius.core.errors import BudgetError, OutputError, UnknownName, VesaliusError

_COMMAND = re.compile(r"--\w|`|\bvesalius \w|\bpip install|\bapt-get|plan\.json")
_OF_A_COHORT = re.compile(  # what only somebody does who reads files in Python, or describes a cohort
    r"\bformats\.\w|\bvs\.\w|\b[Ii]n Python\b|\ba table\b|dataset\.json|\bby the reference\b|\bone reference for"
    r"|\bas the member\b|\balong the first axis\b|\bby its index\b|\bcohort\b|\bread (?:it|them) (?:alone|one by one)\b"
    r"|\bfitted with\b|\bruntime \w+"
)
_PLAN = re.compile(r"\bthe plan\b")
_SCHEMA = "see /openapi.json"
_STATUS = {UnknownName: 404, BudgetError: 413, OutputError: 507}


class Problem(HTTPException):
    """A request that is not answered as asked: an HTTP status and the words of a VesaliusError."""

    def __init__(
        self,
        status: int,
        error: str,
        *,
        found: str | None = None,
        hint: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, error, headers)
        self.body = {"error": error, "found": found, "hint": hint}


def not_found(what: str) -> Problem:
    """Return 404, of a thing that is not there or not the caller's: no one learns which."""
    return Problem(404, f"no such {what}")


def error_body(error: VesaliusError) -> dict[str, str | None]:
    """Return an error of ours as a body, in words of somebody who has made no plan."""
    said = {"error": error.what, "found": error.found, "hint": error.hint and for_clients(error.hint)}
    return {k: v and _PLAN.sub("the model", v) for k, v in said.items()}


def status_of(error: VesaliusError) -> int:
    """Return the HTTP status of an error of ours."""
    return next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422)


def problem_of(error: VesaliusError, plainly: Callable[[str], str]) -> Problem:
    """Return an error of ours as a refusal, in a client's words."""
    status = status_of(error)
    said = {k: v and plainly(v) for k, v in error_body(error).items()}
    return Problem(status, str(said["error"]), found=said["found"], hint=said["hint"])


def for_clients(hint: str) -> str | None:
    """Return a hint without what only people at a command line or in Python can do; None where nothing is left."""
    if not _beyond(hint):
        return hint
    ways = [way.removeprefix("or ") for way in re.split(r",? or |; ", hint)]
    return ", or ".join(way for way in ways if not _beyond(way)) or None


def _beyond(text: str) -> bool:
    return bool(_COMMAND.search(text) or _OF_A_COHORT.search(text))


async def refuse(send: Send, problem: Problem) -> None:
    """Answer before an endpoint is reached, and end the connection: what else it sends is not read."""
    body = json.dumps(problem.body).encode()
    said = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    headers = [(k.lower().encode(), v.encode()) for k, v in (said | dict(problem.headers or {})).items()]
    await send({"type": "http.response.start", "status": problem.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def log_unexpected(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log where something failed that nobody foresaw, without the words of it: they may be a patient's."""
    where = "".join(traceback.format_tb(error.__traceback__, limit=-8))
    log.error("%s: %s\n%s", what, type(error).__name__, where)


def add_handlers(app: FastAPI) -> None:
    """Every refusal and every error of ours answers with that body."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(VesaliusError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(AnyHTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)


def _gone(request: Request, error: Exception) -> Response:
    """Nobody is there to read this."""
    return Response(status_code=400)


def _problem(request: Request, error: Exception) -> Response:
    said: Any = error
    return JSONResponse(said.body, said.status_code, headers=said.headers)


def _ours(request: Request, error: Exception) -> Response:
    said: Any = error
    root = str(request.app.state.service.root)
    return _problem(request, problem_of(said, lambda text: _plain(text, root)))


def _plain(text: str, root: str) -> str:
    """Return a message without where the service keeps its files."""
    return re.sub(
        re.escape(root) + r"(/[\w.-]+)*/?", lambda m: m[1].lstrip("/") if m[1] else "the service", text
    )


def _invalid(request: Request, error: Exception) -> Response:
    """Return the problem of a request that does not fit the schema, named by its field."""
    said: Any = error
    return _problem(request, validation_problem(said.errors()[0]))


def validation_problem(fault: Mapping[str, Any]) -> Problem:
    """Return 422 for what a client sent in place of what is asked for, as pydantic says it."""
    kind, (part, *where) = fault["type"], fields.place(fault) or ("body",)
    name = fields.dotted(where) or f"the {part}"
    if kind == "json_invalid":
        said = str(fault["ctx"]["error"]) + (f" at character {where[0]}" if where else "")
        return Problem(422, f"the {part} is not JSON that can be read", found=said, hint=_SCHEMA)
    if kind == "extra_forbidden":
        return Problem(422, f"{name}: no such field", hint=_SCHEMA)
    if kind == "string_pattern_mismatch":
        takes = "letters, digits, '_' and '-', 64 at most"
        return Problem(422, f"{name} must be {takes}", found=fields.short(fault["input"]), hint=_SCHEMA)
    what, found, hint = fields.said(fault)
    return Problem(422, f"{name}{what}", found=found, hint=hint or _SCHEMA)


def _http(request: Request, error: Exception) -> Response:
    said: Any = error
    if said.status_code == 400:  # of FastAPI's own: bytes that are no text, or nested too deep
        problem = Problem(400, "the body is not JSON that can be read", hint=_SCHEMA)
        return _problem(request, problem)
    body = {"error": str(said.detail), "found": None, "hint": None}
    return JSONResponse(body, said.status_code, headers=said.headers)
