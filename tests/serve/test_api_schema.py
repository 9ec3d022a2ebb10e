"""Every endpoint of the OpenAPI schema, with seeded requests that fit it and that do not: no 5xx, whatever comes."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, seed, settings

schemathesis = pytest.importorskip("schemathesis")
from schemathesis import GenerationMode  # noqa: E402

EXAMPLES = 12  # of each endpoint and method; `make soak` takes more
TURN = itertools.count()


@pytest.fixture(scope="module")
def things(served: Any, picture: bytes) -> dict[str, str]:
    """A study, a job and a model that are there, so that not every generated id misses."""
    form = {"files": ("x.png", picture)}
    job = httpx.post(f"{served.url}/api/predict", files=form, data={"model": "chest"}, timeout=60).json()
    return {"study": job["study"], "job": job["job"], "case": "c1", "file": "answer.json", "model": "chest",
            "session_id": job["study"], "strategy": "first"}  # fmt: skip


@pytest.fixture(scope="module")
def api_schema(served: Any, things: dict[str, str]) -> Any:
    found = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    found.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    return found


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.parametrize()
@seed(20261125)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_no_request_is_answered_with_5xx(case: Any, things: dict[str, str]) -> None:
    if next(TURN) % 2 and case.method != "DELETE":
        case.path_parameters.update({k: v for k, v in things.items() if k in (case.path_parameters or {})})
    response = case.call(timeout=60)
    assert response.status_code < 500, (case.method, case.path, response.status_code, response.text[:200])
