"""Figures for Prometheus: requests, jobs, cases, frames, what is stored; no name of a patient, a file or a caller."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from vesalius.infer.drifting import Drifting
from vesalius.serve.http.latency import Latency

__all__ = ["CONTENT_TYPE", "Metrics"]

_FAST = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_LONG = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """One registry a service, so that several in one process do not meet.

    `worker` is a label of every figure, where several processes share a queue and all are looked at.
    """

    def __init__(self) -> None:
        self.worker = ""
        self.registry = CollectorRegistry()
        r = self.registry
        self.requests = Counter(
            "vesalius_requests", "HTTP requests", ["method", "route", "status"], registry=r
        )
        self.request_s = Histogram(
            "vesalius_request_seconds", "Time to answer a request", ["route"], registry=r
        )
        self.jobs = Counter("vesalius_jobs", "Jobs that ended", ["model", "kind", "status"], registry=r)
        self.cases = Counter("vesalius_cases", "Cases answered", ["model", "outcome"], registry=r)
        self.case_s = Histogram(
            "vesalius_case_seconds", "Time to answer a case", ["model"], buckets=_LONG, registry=r
        )
        self.passes = Histogram(
            "vesalius_pass_cases", "Cases that went through a model together", ["model"],
            buckets=(1, 2, 4, 8, 16, 32), registry=r,
        )  # fmt: skip
        self.uploaded = Counter("vesalius_uploaded_bytes", "Bytes uploaded", registry=r)
        self.frames = Counter("vesalius_cine_frames", "Frames of cines", ["model", "outcome"], registry=r)
        self.frame_s = Histogram(
            "vesalius_cine_seconds", "Time from a frame to its answer", ["model"], buckets=_FAST, registry=r
        )
        self.alarms = Counter(
            "vesalius_alarms",
            "Alarms to the administrator's address, by how they ended",
            ["outcome"],
            registry=r,
        )
        self.latency = Latency()
        r.register(self.latency)
        self.clicks = Counter("vesalius_clicks", "Strokes of clicks", ["model", "outcome"], registry=r)
        self.click_s = Histogram(
            "vesalius_click_seconds", "Time from a stroke to its mask", ["model"],
            buckets=(*_FAST, 2.0, 5.0, 10.0), registry=r,
        )  # fmt: skip
        self.models = Gauge("vesalius_model", "Models that are loaded", ["model", "hash"], registry=r)
        self.audit = Gauge(
            "vesalius_audit_lines", "Lines of the audit log, and the last one's hash", ["hash"], registry=r
        )

        self.drifted = Gauge(
            "vesalius_drift",
            "1 where a feature of the cases drifted, else 0",
            ["model", "feature"],
            registry=r,
        )
        self.evidence = Gauge(
            "vesalius_drift_evidence", "Largest evidence of a drift so far", ["model", "feature"], registry=r
        )
        self.percentile = Gauge(
            "vesalius_drift_percentile", "Where the last cases lie, 50 without a drift", ["model", "feature"],
            registry=r,
        )  # fmt: skip
        self.drift_known = Gauge(
            "vesalius_drift_known", "1 where the bundle keeps a reference, else 0", ["model"], registry=r
        )

    def follow(self, model: str, drifting: Drifting) -> None:
        """Show of a model whether its cases drift; without a reference only that nothing is known."""
        self.drift_known.labels(model).set(drifting.reference is not None)
        names = () if drifting.reference is None else drifting.reference.names
        for k, name in enumerate(names):
            where = {
                self.drifted: lambda k=k: float(drifting.report().features[k].drifted),
                self.evidence: lambda k=k: drifting.report().features[k].evidence,
                self.percentile: lambda k=k: _number(drifting.report().features[k].percentile),
            }
            for gauge, value in where.items():
                gauge.labels(model, name).set_function(value)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is asked for when it is looked at."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """Return what Prometheus reads."""
        return generate_latest(_Labelled(self.registry, self.worker) if self.worker else self.registry)


class _Labelled(CollectorRegistry):
    """The figures of a registry, each with the label `worker`."""

    def __init__(self, registry: CollectorRegistry, worker: str) -> None:
        super().__init__()
        self._of, self._worker = registry, worker

    def collect(self) -> Iterator[Metric]:
        """Yield the figures, labelled."""
        for metric in self._of.collect():
            metric.samples = [s._replace(labels={**s.labels, "worker": self._worker}) for s in metric.samples]
            yield metric


def _number(value: float | None) -> float:
    return math.nan if value is None else value
