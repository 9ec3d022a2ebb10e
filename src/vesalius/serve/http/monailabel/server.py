"""What the server is and can do, in MONAI Label's words: keys as passwords, models, no training."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import PlainTextResponse

from vesalius.answers import contract
from vesalius.core.version import VERSION
from vesalius.serve.http.access import Admin, Serving, User, identify
from vesalius.serve.http.datastore import STRATEGIES
from vesalius.serve.http.monailabel import clicking, explaining
from vesalius.serve.http.next_case import listed
from vesalius.serve.http.problems import Problem

router = APIRouter()


@router.get("/auth/")
def auth(service: Serving) -> dict[str, bool]:
    """Return whether keys are asked for."""
    return {"enabled": service.keys is not None}


@router.post("/auth/token")
async def token(request: Request) -> dict[str, str]:
    """Return a key as a token: the password is the key, whatever the user's name."""
    body = b""
    async for data in request.stream():
        body += data
        if len(body) > 4096:
            raise Problem(413, "a form that is too large")
    key = (parse_qs(body.decode("utf-8", "replace")).get("password") or [""])[0]
    identify(request, key)
    return {"access_token": key, "token_type": "bearer"}


@router.get("/auth/token/valid")
def valid(caller: User) -> dict[str, str]:
    """Whose key this is."""
    return {"username": caller.name}


@router.get("/info/")
def info(service: Serving, caller: User) -> dict[str, Any]:
    """Return what this server can do, in MONAI Label's words."""
    models = {
        m.name: {
            "type": contract.of(m.about["answer"]).monailabel,
            "dimension": m.about["dims"],
            "labels": {x["name"]: x["value"] for x in m.about["labels"]},
            "description": f"Vesalius {m.about['task']} of {m.about['answer']}; for research, not a medical device",
            "config": {},
        }
        for m in service.models.by_name.values()
    }
    models |= clicking.listed(service.models) | explaining.listed(service.models)
    return {
        "name": "Vesalius",
        "description": "Vesalius bundles; for research, not a medical device",
        "version": VERSION,
        "labels": list(dict.fromkeys(name for m in models.values() for name in m["labels"])),
        "models": models,
        "trainers": {},
        "strategies": {name: {"description": text} for name, text in (STRATEGIES | listed()).items()},
        "scoring": {},
        "train_stats": {},
        "datastore": service.datastore.status(caller),
        "config": {"infer": {}, "train": {}, "activelearning": {}},
    }


@router.get("/train/")
def train_status(caller: User, check_if_running: bool = False) -> dict[str, Any]:
    """404: nothing is being trained here, as MONAI Label says it."""
    raise Problem(404, "no training is running", hint="vesalius fit")


@router.post("/train/")
@router.post("/train/{model}")
def train(
    caller: Admin, model: str = "", params: Annotated[dict[str, Any] | None, Body()] = None
) -> dict[str, Any]:
    """404: this service does not train."""
    raise Problem(404, "this service does not train", hint="vesalius fit, on the saved labels")


@router.delete("/train/")
def train_stop(caller: Admin) -> dict[str, Any]:
    """Nothing to stop."""
    return {}


@router.get("/logs/", response_class=PlainTextResponse)
def logs(service: Serving, caller: Admin, lines: Annotated[int, Query(ge=0, le=10_000)] = 300) -> str:
    """Return the end of the audit log, as text."""
    return "".join(json.dumps(line) + "\n" for line in service.audit.last(lines))
