"""The application: endpoints, limits and errors put together around a service."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vesalius.core.version import VERSION
from vesalius.serve import viewer
from vesalius.serve.http import (
    annotation_endpoints,
    annotation_pages,
    cine,
    edit_endpoints,
    endpoints,
    monailabel,
    question_endpoints,
    similar_endpoints,
    surface_endpoints,
    truth_endpoints,
)
from vesalius.serve.http.access import audit_refusal
from vesalius.serve.http.clicks import endpoints as clicks
from vesalius.serve.http.clicks import live
from vesalius.serve.http.concurrency import ConcurrencyLimit
from vesalius.serve.http.limits import BodyLimit, SameOrigin
from vesalius.serve.http.problems import Problem, add_handlers, log_unexpected, refuse
from vesalius.serve.http.service import Service
from vesalius.serve.http.shed import Shed

_LOG = logging.getLogger(__name__)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNLESS_SAID = (  # the viewer's page says others
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def create_app(service: Service) -> FastAPI:
    """Return the ASGI application of a service; starting and stopping it starts and stops the service."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title="Vesalius",
        version=VERSION,
        description="Answers of Vesalius bundles about medical images. For research; not a medical device.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.include_router(endpoints.open_to_all)
    app.include_router(similar_endpoints.router)  # before the files of a case, whose path would take its own
    app.include_router(surface_endpoints.router)  # likewise
    app.include_router(endpoints.api)
    app.include_router(truth_endpoints.router)
    app.include_router(edit_endpoints.router)
    app.include_router(annotation_endpoints.router)
    app.include_router(annotation_pages.router)
    app.include_router(question_endpoints.router)
    app.include_router(cine.router)
    app.include_router(clicks.router)
    app.include_router(live.router)
    app.include_router(monailabel.router)
    viewer.mount(app)
    add_handlers(app)
    app.add_middleware(BodyLimit, bounds=service.bounds)
    app.add_middleware(Shed, service=service)
    app.add_middleware(ConcurrencyLimit, service=service)
    if service.keys is None:
        app.add_middleware(SameOrigin)
    app.add_middleware(Measured, service=service)
    return app


class Measured:
    """Middleware: every request counted and timed by its route; headers that all answers have; 500 for the unforeseen.

    A refused one stands in the audit log before its answer is sent.

    That is logged here, and goes no further: the server would log the error's words, which may be a patient's.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            if scope["type"] == "websocket":
                await audit_refusal(self.service, HTTPConnection(scope), scope.get("refused", 0))
            return
        began, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                await audit_refusal(self.service, HTTPConnection(scope), status)
                said = list(message.get("headers", ()))
                names = {name for name, _ in said}
                message["headers"] = [*said, *_HEADERS, *(h for h in _UNLESS_SAID if h[0] not in names)]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told that it was
            log_unexpected(_LOG, "a request failed", error)
            if not status:
                await refuse(watched, Problem(500, "an internal error", hint="the service's log"))
        finally:
            route = getattr(scope.get("route"), "path", "other")
            metrics = self.service.metrics
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.requests.labels(method, route, str(status)).inc()
            metrics.request_s.labels(route).observe(time.perf_counter() - began)
