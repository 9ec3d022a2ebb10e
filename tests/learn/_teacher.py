"""A recipe as another package would bring it: a mean teacher over labelled and unlabelled cases (throw-away)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from pydantic import Field
from torch import Tensor, nn

from vesalius.core.plan import Section
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.examples import Batches, batches
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.supervised import Supervised


class Knobs(Section):
    """What a mean teacher can be told."""

    decay: float = Field(0.9, ge=0, lt=1)
    weight: float = Field(1.0, ge=0)


class MeanTeacher(Supervised):
    """Labelled and unlabelled cases: a student agrees with an average of itself, the teacher, which answers.

    Tarvainen and Valpola, "Mean teachers are better role models", 2017 (throw-away).
    """

    Options = Knobs
    unlabelled = True

    def __init__(self, given: Member, options: Knobs) -> None:
        super().__init__(given, options)
        self.knobs, self.teacher = options, copy.deepcopy(self.stepper.model)
        rest = [e for e in given.examples if not e.targets]
        self.others = batches(rest, given.plan, given.number) if rest else None

    def batches(self) -> Batches:
        labelled = [e for e in self.given.examples if e.targets]
        return batches(labelled, self.given.plan, self.given.number)

    def step(self, step: int, lr: float) -> Tensor:
        student, task = self.stepper, self.given.task
        loss = student.loss(step, self.draw(step, self.device))
        if self.others is not None:
            batch, draw = self.others(step, self.device), torch.Generator().manual_seed(step)
            with torch.no_grad():
                wanted = task.infer(self.teacher.eval(), batch, draw).softmax(dim=1)
            said = task.infer(student.model, batch, draw).softmax(dim=1)
            loss = loss + self.knobs.weight * (said - wanted).square().mean()
        student.fabric.backward(loss)
        student.apply(step, lr)
        with torch.no_grad():
            for mine, theirs in zip(self.teacher.parameters(), student.model.parameters(), strict=True):
                mine.lerp_(theirs, 1 - self.knobs.decay)
        return loss.detach()

    def weights(self) -> dict[str, Tensor]:
        return {k: v.detach().cpu().clone() for k, v in self.teacher.state_dict().items()}

    @contextmanager
    def answering(self) -> Iterator[nn.Module]:
        yield self.teacher.eval()

    def keep(self, saved: Checkpoint) -> None:
        super().keep(saved)
        saved.extra = {"teacher": self.weights()}

    def restore(self, saved: Checkpoint) -> None:
        super().restore(saved)
        self.teacher.load_state_dict(saved.extra["teacher"])


RECIPE = MeanTeacher
