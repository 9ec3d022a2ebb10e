"""How good a model is on validation cases while it trains: its task's primary metric."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from vesalius import metrics
from vesalius.core.bundle import State
from vesalius.core.calling import calling
from vesalius.core.errors import UnknownName
from vesalius.core.plan import Plan
from vesalius.infer import runs
from vesalius.infer.asked import decoded, terms_of
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Example
from vesalius.prepare.case import BLANK
from vesalius.tasks.contract import Task


@dataclass(frozen=True, eq=False)
class Validator:
    """Scores a model on examples that it does not learn from; larger is better.

    What lies on the prepared grid is scored by the task's own figures, an answer about a whole case by the task's
    primary metric; where there are none, or they are not defined on these cases, by the negative loss.
    """

    task: Task
    plan: Plan
    state: State
    examples: Sequence[Example]
    truths: Sequence[Any]

    def __call__(self, model: nn.Module) -> float:
        """Return the score of one model, which must be in evaluation mode."""
        device = next(model.parameters()).device
        run, members = runs.get(self.task.run), Members(self.task, [model], self.plan, device)
        if run.on_grid:
            score = self._on_grid(run.raw(members, self.examples))
            if score is not None:
                return score
        if run.held_out and self.truths:
            score = self._primary(run.raw(members, self.examples))
            if math.isfinite(score):
                return score
        return -self._loss(model, device)

    def _on_grid(self, raw: Iterator[Any]) -> float | None:
        """Return the mean over figures of their means over cases; None where a case has no figures."""
        found: dict[str, list[float]] = {}
        for example, called in zip(self.examples, raw, strict=True):
            figures = self.task.score(called, example, self.state)
            if figures is None:
                return None
            for name, value in figures.items():
                found.setdefault(name, []).append(value)
        means = [np.nanmean(values) for values in found.values() if np.isfinite(values).any()]
        return float(np.mean(means)) if means else float("nan")

    def _primary(self, raw: Iterator[Any]) -> float:
        try:
            judge = metrics.for_answer(self.task.answer.__name__)
        except UnknownName:
            return float("nan")
        said = zip(self.examples, raw, self.truths, strict=True)
        known = [(e.case_id, r, truth) for e, r, truth in said if truth is not None]
        if not known:
            return float("nan")
        answers = [decoded(self.task, r, self.state, {}, BLANK, case=case) for case, r, _ in known]
        what = f"the metrics of {self.task.answer.__name__}"
        with calling(what, judge, "rows"):
            rows = judge.rows(answers, [truth for *_, truth in known])
        with calling(what, judge, "summary"):
            return float(judge.summary(rows, np.arange(len(answers))).get(self.task.primary, float("nan")))

    def _loss(self, model: nn.Module, device: torch.device) -> float:
        total, n = 0.0, 0
        with torch.inference_mode():
            for example in self.examples:
                batch = self.task.collate([example]).to(device)
                terms = terms_of(self.task, model, batch, torch.Generator().manual_seed(0))
                total, n = total + float(torch.stack(list(terms.values())).sum()), n + 1
        return total / max(n, 1)
