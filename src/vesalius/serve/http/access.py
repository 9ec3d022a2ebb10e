"""Who calls, and what they may: a dependency of every endpoint but health; counts requests on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from vesalius.core.errors import VesaliusError
from vesalius.serve.http.keys import LOCAL, Caller, Role
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.refusals import STATUSES
from vesalius.serve.http.service import Service

_BEARER = HTTPBearer(auto_error=False, description="A key of the service's keys file.")


def service_of(connection: HTTPConnection) -> Service:
    """Return the service that a request came to."""
    found: Service = connection.app.state.service
    return found


def peer(connection: HTTPConnection) -> str:
    """Return the caller's address, by which failed keys are counted before it is known whose key it is."""
    return f"peer {connection.client.host if connection.client else ''}"


def remember_caller(connection: HTTPConnection, caller: Caller) -> None:
    """Remember whose request this is, for the audit log, should it be refused."""
    connection.scope["who"] = caller.name


async def audit_refusal(service: Service, connection: HTTPConnection, status: int) -> None:
    """Write a refused request into the audit log, by its client and the service's own name of its route."""
    if status not in STATUSES:
        return
    who = connection.scope.get("who") or peer(connection)
    route = getattr(connection.scope.get("route"), "path", "other")
    await run_in_threadpool(service.refusals.add, who, status, route)


def bearer(connection: HTTPConnection) -> str | None:
    """Return the key that a request carries."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


def identify(connection: HTTPConnection, key: str | None) -> Caller:
    """Whose request this is.

    Raises Problem 401 without a known key where keys are asked for, 429 for too many, 503 while keys cannot be read.
    """
    service = service_of(connection)
    try:
        caller = LOCAL if service.keys is None else None if key is None else service.keys.caller(key)
    except VesaliusError:  # strangers are not told why
        service.rate.take(peer(connection))
        raise Problem(
            503,
            "no key can be checked at the moment",
            hint="tell who runs this service",
            headers={"Retry-After": "30"},
        ) from None
    if caller is not None:
        remember_caller(connection, caller)
    service.rate.take(peer(connection) if caller is None else f"caller {caller.name}")
    if caller is None:
        hint = "Authorization: Bearer KEY"
        raise Problem(
            401,
            "a key is needed" if key is None else "an unknown key",
            hint=hint,
            headers={"WWW-Authenticate": "Bearer"},
        )
    return caller


def _may(role: Role) -> Callable[..., Caller]:
    def check(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
    ) -> Caller:
        known: Caller | None = request.scope.get(
            "caller"
        )  # of a request with a body: asked before it was read
        caller = known or identify(request, bearer(request))
        if not caller.may(role):
            raise Problem(403, f"this key may not do that: its role is '{caller.role}'", hint=f"role {role}")
        return caller

    return check


User: TypeAlias = Annotated[Caller, Depends(_may("user"))]
Admin: TypeAlias = Annotated[Caller, Depends(_may("admin"))]
Monitor: TypeAlias = Annotated[Caller, Depends(_may("monitor"))]


async def _service(request: Request) -> Service:
    return service_of(request)


Serving: TypeAlias = Annotated[Service, Depends(_service)]
