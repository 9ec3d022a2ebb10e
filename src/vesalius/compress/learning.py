"""What ways share that train: asking a model about a few cases, its loss on them, and training it on."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.compress.contract import Source
from vesalius.core.bundle import State
from vesalius.core.errors import BudgetError
from vesalius.core.plan import Plan, override
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.infer.asked import inferred, terms_of
from vesalius.learn.examples import Batches, batches, patch_of
from vesalius.learn.loop import train
from vesalius.prepare.batch import Batch, Example
from vesalius.tasks.contract import Task

ASKED = 2  # cases about which a model is asked to see what belongs together in it
WHY = "as a way of compressing trains"


@dataclass(frozen=True, eq=False)
class Asking:
    """A few prepared cases, and how a model is asked about them: for its raw outputs, and for its loss."""

    task: Task
    batch: Batch

    def raw(self, model: nn.Module) -> Tensor:
        """Return a model's raw outputs about them."""
        return inferred(self.task, model, self.batch, torch.Generator().manual_seed(0))

    def loss(self, model: nn.Module) -> list[Tensor]:
        """Return the terms of a model's loss on them."""
        return list(terms_of(self.task, model, self.batch, torch.Generator().manual_seed(0)).values())


def asking(source: Source, number: int) -> Asking:
    """Return how a member is asked about a few cases that it learned from, or patches of them."""
    return Asking(source.task, together(source, source.some(number, ASKED, what="asking")))


def together(source: Source, examples: Sequence[Example]) -> Batch:
    """Return examples as one batch, patches of them where the plan sees patches."""
    plan = source.model.plan
    if plan.data.sampling == "patches":
        generator = torch.Generator().manual_seed(0)
        examples = [patch_of(e, (), plan, generator) for e in examples]
    return source.task.collate(list(examples))


def drawn(source: Source, number: int) -> Batches:
    """Return what draws training batches of a member's labelled cases, as its training did."""
    return batches(source.learned(number), source.model.plan, number, task=source.task)


@dataclass(eq=False)
class Clock:
    """The time that pieces of training may take of what is left to a way; each piece has a weight."""

    until: float | None
    weights: list[float] = field(default_factory=list)

    def deadline(self, weight: float) -> float | None:
        """Return when a piece of this weight must end, a `time.monotonic()`; None where time is not limited.

        Raises BudgetError where no time is left.
        """
        if self.until is None:
            return None
        left = self.until - time.monotonic()
        if left <= 0:
            raise BudgetError(
                "the time of this way is over before its training ended", hint="--time-limit, a longer one"
            )
        rest = sum(self.weights) or weight
        if weight in self.weights:
            self.weights.remove(weight)
        return time.monotonic() + left * min(1.0, weight / rest)


def tuned(
    source: Source,
    plan: Plan,
    state: State,
    number: int,
    *,
    start: Mapping[str, Tensor] | None,
    teacher: nn.Module | None,
    settings: Mapping[str, Any],
    name: str,
    to: Path,
    progress: Progress,
    deadline: float | None = None,
) -> dict[str, Tensor]:
    """Return a member's weights after it was trained on through learn's loop, on the cases that it learned from.

    Nothing is looked at while it trains, so that the last weights are taken and no case of its own fold is seen.
    `settings` are changes to the plan. Raises what training raises.
    """
    fixed = {
        "train.phases": [],
        "train.lora": 0,
        "train.patience": None,
        "train.revisions": [],
        "train.layer_decay": 1.0,
        "train.shard": "none",
    }
    told = override(plan, {**fixed, **settings}, reason=WHY)
    examples, lacking = list(source.learned(number)), []
    if told.train.recipe == "distil":
        lacking = list(source.unlabelled)
    result = train(
        source.task,
        told,
        state,
        [*examples, *lacking],
        None,
        member=number,
        folder=to,
        progress=progress,
        name=name,
        deadline=deadline,
        device=source.device,
        start=start,
        unlabelled=[e.case_id for e in lacking],
        teacher=teacher,
    )
    if result.ran_out:
        many = f"{result.last_step} of {counted(told.train.steps, 'step')}"
        progress.note(f"{name}: the time limit ended the training of member {number} after {many}")
    return result.weights


def compares(task: Task) -> bool:
    """Return whether what two models say can be compared: a task tells it by its `opinion`, or by its `chances`."""
    return type(task).opinion is not Task.opinion or type(task).chances is not Task.chances


def recipe_of(source: Source, *, sparse: bool = False) -> dict[str, Any]:
    """Return the settings of the recipe that goes on: with the model before as its teacher where that can be."""
    if sparse:
        options = {} if compares(source.task) else {"weight": 0.0}
        return {"train.recipe": "sparse", "train.recipe_options": options}
    if compares(source.task):
        return {"train.recipe": "distil", "train.recipe_options": {}}
    return {"train.recipe": "supervised", "train.recipe_options": {}}


def loaded(module: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """Return a model of the same form with other weights, in evaluation mode."""
    other = copy.deepcopy(module)
    other.load_state_dict(weights)
    return other.eval()


def mean_loss(source: Source, model: nn.Module, batches_: Sequence[Batch]) -> float:
    """Return the mean loss of a model in evaluation mode on some batches."""
    total = 0.0
    with torch.no_grad():
        for batch in batches_:
            total += float(torch.stack(Asking(source.task, batch).loss(model.eval())).sum())
    return total / len(batches_)
