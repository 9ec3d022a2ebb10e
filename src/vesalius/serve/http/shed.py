"""What is refused before it is read: requests that a full or absent queue would turn away once they were."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from vesalius.serve.http.limits import drain
from vesalius.serve.http.problems import refuse
from vesalius.serve.http.service import Service

_ADDS = ("POST", "PUT")


class Shed:
    """Middleware: what the jobs would not take is refused with when to ask again, before its body is read."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and scope["method"] in _ADDS:
            problem = self.service.jobs.shed(scope["path"])
            if problem is not None:
                if b"expect" not in dict(scope["headers"]):  # who asks before sending is told at once
                    await drain(receive)
                await refuse(send, problem)
                return
        await self.app(scope, receive, send)
