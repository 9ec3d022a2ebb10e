"""Requests at one time: so many of one caller, fewer of an address without a known key, so many in all.

Who sends a body without a known key is refused before any of it is read.
"""

from __future__ import annotations

from collections import Counter

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from vesalius.core.errors import VesaliusError
from vesalius.serve.http.access import bearer, identify, peer, remember_caller
from vesalius.serve.http.keys import LOCAL, Caller
from vesalius.serve.http.problems import Problem, refuse
from vesalius.serve.http.service import Service

_ALWAYS = ("/health", "/ready")  # what watches over the service is answered however full it is
_KEY_IN_BODY = "/auth/token"
_ALL, _STRANGER = 4, 4  # times what one caller may, and its share


class ConcurrencyLimit:
    """Middleware: beyond the bounds a request is 429 or, where all callers together are too many, 503."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service
        self._now: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counted as long as it is answered."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self.app(scope, receive, send)
            return
        try:
            who = self._who(HTTPConnection(scope))
        except Problem as refusal:
            await refuse(send, refusal)
            return
        self._now[who] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._now[who] -= 1
            if not self._now[who]:
                del self._now[who]

    def _who(self, connection: HTTPConnection) -> str:
        """Whose request it is, for counting. Raises Problem where it is one too many, or a stranger's body."""
        most = self.service.bounds.at_once
        if self._now.total() >= _ALL * most:
            raise Problem(503, "too many requests at one time", headers={"Retry-After": "5"})
        if _has_body(connection) and connection.scope["path"] != _KEY_IN_BODY:
            connection.scope["caller"] = identify(connection, bearer(connection))
        caller = connection.scope.get("caller") or self._known(connection)
        if caller is not None:
            remember_caller(connection, caller)
        who = peer(connection) if caller is None else f"caller {caller.name}"
        if self._now[who] >= (max(1, most // _STRANGER) if caller is None else most):
            raise Problem(429, "too many requests at one time", headers={"Retry-After": "1"})
        return who

    def _known(self, connection: HTTPConnection) -> Caller | None:
        """Who calls, where that is known without a refusal: that is the endpoint's to say."""
        keys, key = self.service.keys, bearer(connection)
        try:
            return LOCAL if keys is None else None if key is None else keys.caller(key)
        except VesaliusError:
            return None


def _has_body(connection: HTTPConnection) -> bool:
    headers = connection.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
