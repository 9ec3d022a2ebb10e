"""What every WebSocket of the service has in common: its key, how it is refused, and how it ends."""

from __future__ import annotations

import json

from fastapi import WebSocket

from vesalius.core.errors import VesaliusError
from vesalius.serve.http.access import bearer
from vesalius.serve.http.problems import Problem, error_body

POLICY, LATER, BAD, AWAY = 1008, 1013, 1003, 1001  # RFC 6455 7.4.1


def offered_by(socket: WebSocket) -> list[str]:
    """Return the subprotocols that a client offers."""
    return [p.strip() for p in socket.headers.get("sec-websocket-protocol", "").split(",")]


def key_of(socket: WebSocket, offered: list[str]) -> str | None:
    """Return the key in the header, or among the subprotocols, which is all that a browser lets a page set."""
    return bearer(socket) or next((p.removeprefix("key.") for p in offered if p.startswith("key.")), None)


async def refuse(socket: WebSocket, error: Exception, offered: list[str], *, code: int = POLICY) -> None:
    """Say why, and close: a handshake that is denied could not say it to a browser."""
    body = (
        error.body
        if isinstance(error, Problem)
        else error_body(error)
        if isinstance(error, VesaliusError)
        else {}
    )
    socket.scope["refused"] = error.status_code if isinstance(error, Problem) else 422
    await socket.accept("vesalius" if "vesalius" in offered else None)
    await socket.send_text(json.dumps(body))
    await socket.close(code)


async def end(socket: WebSocket, problem: Problem, code: int) -> None:
    """Say why a socket ends, and close it."""
    await socket.send_text(json.dumps(problem.body))
    await socket.close(code)
