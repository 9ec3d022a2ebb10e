"""How good a model is on validation cases while it trains: its task's primary metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from vesalius import metrics
from vesalius.answers import contract as kinds
from vesalius.core.bundle import State
from vesalius.core.calling import calling
from vesalius.core.case import Case
from vesalius.core.errors import UnknownName
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.core.seeds import seed_of
from vesalius.core.subgroups import SMALLEST
from vesalius.infer import runs
from vesalius.infer.asked import decoded, terms_of
from vesalius.infer.runs.contract import Members
from vesalius.learn.examples import patch_of
from vesalius.prepare.batch import Example
from vesalius.prepare.case import BLANK
from vesalius.tasks.contract import Task

PATCHES = 4  # of each held-out example, over which its loss is taken where a plan learns from patches
FIGURES, PRIMARY, LOSS = "figures", "primary", "loss"  # what a model is scored by


@dataclass(frozen=True)
class Scorer:
    """What scores one model on some of a validator's examples, larger is better.

    `by` says what by: the task's own `figures` of each, its `primary` metric, or the negative `loss`, which is not the
    same for plans with different losses. `of` takes the examples' places; one that comes twice counts twice.
    """

    by: str
    of: Callable[[Array], float]


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
        """Return the score of one model, which must be in evaluation mode; of `worst_group` that of the worst group."""
        return self.scorer(model).of(np.arange(len(self.examples)))

    def scorer(self, model: nn.Module) -> Scorer:
        """Return what scores one model on any of the examples, asked about each once; it must be in evaluation mode.

        What it scores by depends on what is defined on all of the examples.
        """
        device = next(model.parameters()).device
        run, members = runs.get(self.task.run), Members(self.task, [model], self.plan, device)
        if not run.joins:
            figures = self._on_grid(run.raw(members, self.examples))
            if figures is not None:
                return self._scorer(FIGURES, lambda at: self.task.scored([figures[k] for k in at]))
        together = self._among(run.raw(members, self.examples)) if run.held_out else None
        if together is not None:
            return self._scorer(FIGURES, lambda at: self.task.scored([together[int(k)] for k in at]))
        if run.held_out and self.truths:
            primary = self._primary(run.raw(members, self.examples))
            if primary is not None and math.isfinite(primary.of(np.arange(len(self.examples)))):
                return primary
        losses: list[float] = []

        def negative(at: Array) -> float:
            if not losses:  # only asked for where somebody wants a score
                losses.extend(self._loss(model, device, [example]) for example in self.examples)
            return -float(sum(losses[int(k)] for k in at)) / max(len(at), 1)

        return self._scorer(LOSS, negative)

    def _scorer(self, by: str, score: Callable[[Array], float]) -> Scorer:
        return Scorer(by, lambda places: self._least(lambda at: score(places[at]), places))

    def each(self, model: nn.Module) -> dict[str, float]:
        """Return by case id how good one model is, larger is better; it must be in evaluation mode.

        Of what lies on the prepared grid, and of answers that are judged among one another, it is the mean of the
        case's figures, NaN where it has none; else, and where there are no such figures, the negative loss.
        """
        device = next(model.parameters()).device
        run = runs.get(self.task.run)
        if not run.joins:
            members = Members(self.task, [model], self.plan, device)
            figures = self._on_grid(run.raw(members, self.examples))
            if figures is not None:
                return {e.case_id: self.task.scored([f]) for e, f in zip(self.examples, figures, strict=True)}
        elif run.held_out:
            together = self._among(run.raw(Members(self.task, [model], self.plan, device), self.examples))
            if together is not None:
                scored = [self.task.scored([figures]) for figures in together]
                return {e.case_id: value for e, value in zip(self.examples, scored, strict=True)}
        return {e.case_id: -self._loss(model, device, [e]) for e in self.examples}

    def _least(self, score: Callable[[Array], float], places: Array) -> float:
        """Return the score of the examples at `places`; where the worst group decides, the least of any large group.

        A group is large from `SMALLEST` patients on. Where it is not defined for two of them, it is that of all.
        """
        if self.plan.train.select != "worst_group":
            return score(np.arange(len(places)))
        groups: dict[str, list[int]] = {}
        for k, place in enumerate(places):
            stratum = self.examples[place].stratum
            if stratum is not None:
                groups.setdefault(stratum, []).append(k)
        large = [at for at in groups.values() if self._patients([places[k] for k in at]) >= SMALLEST]
        found = [value for at in large if math.isfinite(value := score(np.array(at)))]
        return min(found) if len(found) > 1 else score(np.arange(len(places)))

    def _patients(self, places: Sequence[int]) -> int:
        return len({self.examples[k].patient or self.examples[k].case_id for k in places})

    def _on_grid(self, raw: Iterator[Any]) -> list[Mapping[str, float]] | None:
        """Return the figures of each case; None where a case has none."""
        found: list[Mapping[str, float]] = []
        for example, called in zip(self.examples, raw, strict=True):
            figures = self.task.score(called, example, self.state)
            if figures is None:
                return None
            found.append(figures)
        return found

    def _among(self, raw: Iterator[Any]) -> Sequence[Mapping[str, Any]] | None:
        """Return the figures that cases have among one another; None of a task without, or where none is defined."""
        if type(self.task).figures_among is Task.figures_among:
            return None
        with calling(f"task {self.task.name}", self.task, "figures_among"):
            found = self.task.figures_among(list(raw), self.examples, self.state)
        return found if found is not None and math.isfinite(self.task.scored(found)) else None

    def _primary(self, raw: Iterator[Any]) -> Scorer | None:
        """Return what scores by the task's primary metric; None where nothing of it is known."""
        try:
            judge = metrics.for_answer(self.task.answer.__name__)
        except UnknownName:
            return None
        said = zip(range(len(self.examples)), raw, self.truths, strict=True)
        known = [(k, r, truth) for k, r, truth in said if truth is not None]
        if not known:
            return None
        answers = [
            decoded(self.task, r, self.state, {}, BLANK, case=self.examples[k].case_id) for k, r, _ in known
        ]
        what, handling = f"the metrics of {self.task.answer.__name__}", kinds.of(self.task.answer)
        bare = [Case(self.examples[k].case_id, {}, reference=None) for k, *_ in known]
        with calling(what, judge, "rows"):  # as `evaluate` measures, of what is known of cases here
            each = zip(answers, known, bare, strict=True)
            measured = [
                handling.measure(a, handling.truth(truth, case), case) for a, (*_, truth), case in each
            ]
            rows = handling.rows(measured, [case.id for case in bare])
        row_of = {k: row for row, (k, *_) in enumerate(known)}

        def score(at: Array) -> float:
            index = np.array([row_of[int(k)] for k in at], dtype=np.int64)
            with calling(what, judge, "summary"):
                return float(judge.summary(rows, index).get(self.task.primary, float("nan")))

        def of(places: Array) -> float:
            there = np.array([k for k in places if int(k) in row_of], dtype=np.int64)
            return self._least(lambda at: score(there[at]), there)

        return Scorer(PRIMARY, of)

    def loss(self, model: nn.Module) -> float:
        """Return the mean loss of the examples, of a model in evaluation mode; not augmented, the same for all models.

        Of a plan that learns from patches it is that of `PATCHES` of each example, at places that its id decides.
        """
        device = next(model.parameters()).device
        examples: list[Example] = []
        for example in self.examples:
            if self.plan.data.sampling != "patches":
                examples.append(example)
                continue
            drawn = torch.Generator().manual_seed(seed_of(0, "held out", example.case_id))
            examples += [patch_of(example, (), self.plan, drawn) for _ in range(PATCHES)]
        return self._loss(model, device, examples)

    def _loss(self, model: nn.Module, device: torch.device, examples: Sequence[Example]) -> float:
        total, n = 0.0, 0
        with torch.inference_mode():
            for example in examples:
                batch = self.task.collate([example]).to(device)
                terms = terms_of(self.task, model, batch, torch.Generator().manual_seed(0))
                total, n = total + float(torch.stack(list(terms.values())).sum()), n + 1
        return total / max(n, 1)
