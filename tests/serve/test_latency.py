"""p50 and p95 on /metrics: of the last answers alone, held against NumPy, read back by Prometheus's own parser."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from _clients import Clients
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from vesalius.serve.http.latency import MOST, NAME, WINDOW_S, Latency


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_quantiles_are_those_of_numpy_by_nearest_rank() -> None:
    values = np.random.default_rng(3).gamma(2, 0.1, 997)
    held = Latency(Clock())
    for value in values:
        held.observe("click", "organs", float(value))
    for q, found in held.quantiles("click", "organs").items():
        assert found == np.quantile(values, q, method="inverted_cdf")
    assert math.isnan(held.quantiles("click", "chest")[0.5]), "no answer has no median"


def test_what_is_older_than_the_window_counts_no_more_and_the_last_count_where_there_are_many() -> None:
    clock = Clock()
    held = Latency(clock)
    for _ in range(50):
        held.observe("job", "chest", 9.0)
    clock.now = WINDOW_S + 1
    held.observe("job", "chest", 0.25)
    assert held.quantiles("job", "chest") == {0.5: 0.25, 0.95: 0.25}
    clock.now *= 3
    assert math.isnan(held.quantiles("job", "chest")[0.95])
    for k in range(MOST + 10):
        held.observe("frame", "chest", float(k))
    assert held.quantiles("frame", "chest")[0.5] == 10 + MOST / 2 - 1


def test_prometheus_reads_it_as_a_summary() -> None:
    registry, held = CollectorRegistry(), Latency(Clock())
    registry.register(held)
    for seconds in (0.1, 0.2, 0.3):
        held.observe("job", "chest", seconds)
    (family,) = text_string_to_metric_families(generate_latest(registry).decode())
    assert family.type == "summary" and "last 10 minutes" in family.documentation
    of = {"sort": "job", "model": "chest"}
    found = {
        (s.name, s.labels.get("quantile")): s.value for s in family.samples if s.labels.items() >= of.items()
    }
    assert found[NAME, "0.5"] == 0.2 and found[NAME, "0.95"] == 0.3 and found[f"{NAME}_count", None] == 3
    assert found[f"{NAME}_sum", None] == pytest.approx(0.6)


def test_a_job_counts_from_when_it_was_asked_for(clients: Clients) -> None:
    client = clients()
    service = client.app.state.service  # type: ignore[attr-defined]
    model = service.models.get("chest")
    job = SimpleNamespace(status="done", model=model, created=100.0, finished=102.5, id="j", answers={})
    service._job_ended(job)
    failed = SimpleNamespace(**{**vars(job), "status": "failed", "finished": 900.0})
    service._job_ended(failed)
    text = client.get("/metrics").text
    assert f'{NAME}{{model="chest",quantile="0.5",sort="job"}} 2.5' in text
