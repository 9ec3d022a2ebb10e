"""One job: what a caller asked of a model about some cases, how far it is, and the answers that there are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.schemas import iso
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.visits import EarlierVisit

Kind = Literal["predict", "explain", "change", "advise"]
Doubts = tuple[str, int | None]  # a way of doubting, and how many samples
ENDED = ("done", "failed", "cancelled")


@dataclass(eq=False)
class InferenceJob:
    """One request of one caller; its fields change under the registry's lock, `version` with each change."""

    id: str
    owner: str
    model_name: str
    served: ServedModel | None  # None where this process serves no such bundle, which another may
    study: UploadedStudy
    cases: tuple[StoredCase, ...]
    kind: Kind
    folder: Path
    explainer: str | None = None
    ask: str | None = None
    accept_mismatch: bool = False
    covariates: Mapping[str, float | str] = field(default_factory=dict)
    doubt: Doubts | None = None
    refuse_unlike: bool = False
    earlier: EarlierVisit | None = None
    status: str = "queued"
    stage: str = "waiting"
    shares: dict[str, float] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    refusal: int = 0  # the HTTP status of that error
    created: float = field(default_factory=time.time)
    finished: float | None = None
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, dict[str, Path]] = field(default_factory=dict)
    version: int = 0
    size: int = 0

    @property
    def model(self) -> ServedModel:
        """The model that is asked. Raises Problem 409 where this process does not serve it."""
        if self.served is None:
            raise Problem(409, f"the model '{self.model_name}' that was asked is not served here any more")
        return self.served

    @property
    def ended(self) -> bool:
        """Whether nothing more will change."""
        return self.status in ENDED

    def json(self) -> dict[str, Any]:
        """As clients see it."""
        share = sum(self.shares.values()) / max(1, len(self.cases))
        return {
            "job": self.id,
            "model": self.model_name,
            "study": self.study.id,
            "kind": self.kind,
            "explainer": self.explainer,
            "ask": self.ask,
            "covariates": dict(self.covariates),
            "earlier": None
            if self.earlier is None
            else {"study": self.earlier.study.id, "case": self.earlier.case.id},
            "status": self.status,
            "progress": 1.0 if self.status == "done" else round(min(share, 1.0), 4),
            "stage": self.stage,
            "error": self.error,
            "failures": list(self.failures.values()),
            "created": iso(self.created),
            "finished": None if self.finished is None else iso(self.finished),
            "answers": list(self.answers.values()),
        }


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """One case of a job: what is answered at a time. `attempt` counts from 1 where several processes may try it."""

    job: InferenceJob
    case: StoredCase
    attempt: int = 0

    @property
    def folder(self) -> Path:
        """Where this attempt's files go."""
        return self.job.folder / (f"{self.case.id}-{self.attempt}" if self.attempt else self.case.id)
