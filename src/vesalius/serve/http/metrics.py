"""Figures for Prometheus: requests, jobs, cases, frames, what is stored; no name of a patient, a file or a caller."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

__all__ = ["CONTENT_TYPE", "Metrics"]

_FAST = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_LONG = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """One registry a service, so that several in one process do not meet."""

    def __init__(self) -> None:
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
        self.models = Gauge("vesalius_model", "Models that are loaded", ["model", "hash"], registry=r)
        self.audit = Gauge(
            "vesalius_audit_lines", "Lines of the audit log, and the last one's hash", ["hash"], registry=r
        )

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is asked for when it is looked at."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """Return what Prometheus reads."""
        return generate_latest(self.registry)
