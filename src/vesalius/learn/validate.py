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
from vesalius.core.errors import UnknownName
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.infer import runs
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Batch, Example, collate
from vesalius.prepare.case import BLANK
from vesalius.tasks.contract import Task


@dataclass(frozen=True, eq=False)
class Validator:
    """Scores a model on examples that it does not learn from; larger is better.

    A dense task is scored by mean Dice on the prepared grid, any other by its primary metric; where its kind of
    answer has no metrics, or they are not defined on these cases, by the negative loss.
    """

    task: Task
    plan: Plan
    state: State
    examples: Sequence[Example]
    truths: Sequence[Any]

    def __call__(self, model: nn.Module) -> float:
        """The score of one model, which must be in evaluation mode."""
        device = next(model.parameters()).device
        run, members = runs.get(self.task.run), Members(self.task, [model], self.plan, device)
        if run.on_grid and self._masked():
            return self._dice(run.raw(members, self.examples))
        if run.held_out and self.truths:
            score = self._primary(run.raw(members, self.examples))
            if math.isfinite(score):
                return score
        return -self._loss(model, device)

    def _masked(self) -> bool:
        return all("mask" in e.targets for e in self.examples)

    def _dice(self, raw: Iterator[Any]) -> float:
        found: list[list[float]] = []
        for example, called in zip(self.examples, raw, strict=True):
            truth = np.asarray(example.targets["mask"][0])
            found.append(_dices(called, truth, len(self.state.values["labels"])))
        each = np.array(found)
        means = [np.nanmean(c) for c in each.T if np.isfinite(c).any()]
        return float(np.mean(means)) if means else float("nan")

    def _primary(self, raw: Iterator[Any]) -> float:
        try:
            judge = metrics.for_answer(self.task.answer.__name__)
        except UnknownName:
            return float("nan")
        answers = [self.task.decode(r, self.state, {}, BLANK) for r in raw]
        rows = judge.rows(answers, list(self.truths))
        return float(judge.summary(rows, np.arange(len(answers))).get(self.task.primary, float("nan")))

    def _loss(self, model: nn.Module, device: torch.device) -> float:
        total, n = 0.0, 0
        with torch.inference_mode():
            for example in self.examples:
                batch: Batch = collate([example]).to(device)
                terms = self.task.loss(model, batch, torch.Generator().manual_seed(0))
                total, n = total + float(torch.stack(list(terms.values())).sum()), n + 1
        return total / max(n, 1)


def _dices(called: Array, truth: Array, labels: int) -> list[float]:
    known = truth >= 0
    found = []
    for k in range(1, labels + 1):
        a, b = (called == k) & known, truth == k
        size = int(a.sum()) + int(b.sum())
        found.append(2 * int((a & b).sum()) / size if size else float("nan"))
    return found
