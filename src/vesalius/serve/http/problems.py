"""What an HTTP client is told when something cannot be: one body for all of it, `{"error", "found", "hint"}`."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Send

from vesalius.core.errors import BudgetError, OutputError, UnknownName, VesaliusError

_COMMAND = re.compile(r"--\w|`|\bvesalius \w|\bpip install|\bapt-get|plan\.json")
_PLAN = re.compile(r"\bthe plan\b")
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


def missing(what: str) -> Problem:
    """404, of a thing that is not there or not the caller's: no one learns which."""
    return Problem(404, f"no such {what}")


def body_of(error: VesaliusError) -> dict[str, str | None]:
    """An error of ours as a body, in words of somebody who has made no plan."""
    said = {"error": error.what, "found": error.found, "hint": error.hint and for_clients(error.hint)}
    return {k: v and _PLAN.sub("the model", v) for k, v in said.items()}


def problem_of(error: VesaliusError, plainly: Callable[[str], str]) -> Problem:
    """An error of ours as a refusal, in a client's words."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422)
    said = {k: v and plainly(v) for k, v in body_of(error).items()}
    return Problem(status, str(said["error"]), found=said["found"], hint=said["hint"])


def for_clients(hint: str) -> str | None:
    """A hint without what only somebody at the command line could do; None where nothing is left of it."""
    if not _COMMAND.search(hint):
        return hint
    return ", or ".join(way for way in re.split(r",? or |; ", hint) if not _COMMAND.search(way)) or None


async def refuse(send: Send, problem: Problem) -> None:
    """Answer before an endpoint is reached, and end the connection: what else it sends is not read."""
    body = json.dumps(problem.body).encode()
    said = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    headers = [(k.lower().encode(), v.encode()) for k, v in (said | dict(problem.headers or {})).items()]
    await send({"type": "http.response.start", "status": problem.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def log_unforeseen(log: logging.Logger, what: str, error: BaseException) -> None:
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
    """A message without where the service keeps its files."""
    return re.sub(
        re.escape(root) + r"(/[\w.-]+)*/?", lambda m: m[1].lstrip("/") if m[1] else "the service", text
    )


def _invalid(request: Request, error: Exception) -> Response:
    said: Any = error
    first = said.errors()[0]
    place = ".".join(str(p) for p in first["loc"])
    return JSONResponse(
        {"error": f"{place}: {first['msg']}", "found": None, "hint": "see /openapi.json"}, 422
    )


def _http(request: Request, error: Exception) -> Response:
    said: Any = error
    body = {"error": str(said.detail), "found": None, "hint": None}
    return JSONResponse(body, said.status_code, headers=said.headers)
