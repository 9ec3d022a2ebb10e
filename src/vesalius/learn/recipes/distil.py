"""A student learns what a teacher says of its cases, beside or instead of what is true of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import PlanError
from vesalius.core.plan import Section
from vesalius.core.seeds import seed_of
from vesalius.infer.asked import inferred
from vesalius.infer.layers import maps_of, watched
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.examples import Batches, batches
from vesalius.learn.parallel.inside import all_rows
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.supervised import Supervised
from vesalius.learn.unlabelled import beside, weak
from vesalius.prepare.batch import Batch
from vesalius.prepare.opinion import Opinion

NAMES = {
    "distil": "A student learns what a teacher, a larger model, says of the cases, also of such without a target"
}
LEAST = 1e-12  # of a probability, before its logarithm
HINT_LR = 1e-3  # of the projector
PROJECTOR, ITS_OPTIMISER = "projector", "projector_optimiser"


class DistilOptions(Section):
    """What a distillation can be told.

    `weight` is the share of the loss that the teacher has, the truth has the rest. `temperature` softens what both say
    before it is compared. `features` is what the distance between the deepest maps of the two counts for beside it.
    `ratio` is how many cases without the target there are in a step for each labelled one, where there are any.
    """

    weight: float = Field(0.7, ge=0, le=1)
    temperature: float = Field(2.0, gt=0, le=20)
    features: float = Field(0.0, ge=0, le=10)
    ratio: float = Field(1.0, gt=0, le=16)


class Distil(Supervised):
    """Hinton, Vinyals, Dean 2015 (Distilling the knowledge in a neural network, arXiv 1503.02531).

    Teacher and student see the same changed images (Beyer et al. 2022, A good teacher is patient and consistent, arXiv
    2106.05237), so that masks are compared point by point. Classes and labels are softened by the temperature, numbers
    are compared as they are. With `features` the student's deepest map, through a linear projector that is thrown away
    afterwards, is led to the teacher's (Romero et al. 2015, FitNets, arXiv 1412.6550). It serves every task that says
    what its raw outputs mean (`Task.opinion`).
    """

    Options = DistilOptions
    unlabelled: ClassVar[bool] = True

    def __init__(self, given: Member, options: DistilOptions) -> None:
        super().__init__(given, options)
        self.knobs = options
        self.teacher = self._teacher()
        lacking = [e for e in given.examples if e.case_id in given.unlabelled]
        self.beside = None
        if lacking and self.teacher is not None:
            self.beside = beside(given.task, given.plan, lacking, given.number, ratio=options.ratio)
        self.projector = self._projector() if options.features else None
        self.its_optimiser = (
            torch.optim.Adam(self.projector.parameters(), lr=HINT_LR) if self.projector is not None else None
        )

    def batches(self) -> Batches:
        """Return what draws the batches of labelled cases."""
        given = self.given
        labelled = [e for e in given.examples if e.case_id not in given.unlabelled]
        return batches(labelled, given.plan, given.number, task=given.task)

    def step(self, step: int, lr: float) -> Tensor:
        """Take one optimiser step on a batch of labelled cases and, where there are any, one of others."""
        knobs, stepper, batch = self.knobs, self.stepper, self.draw(step, self.device)
        terms = []
        if knobs.weight < 1:
            terms.append((1 - knobs.weight) * stepper.loss(step, batch))
        if self.teacher is not None and (knobs.weight or knobs.features):
            terms.append(self.term(step, batch))
            if self.beside is not None:
                more = weak(
                    self.beside(step, self.device),
                    self.given.plan,
                    self.beside.generator(step, "distil"),
                    strength=1.0,
                )
                terms.append(self.term(step, more))
        loss = torch.stack(terms).sum()
        stepper.fabric.backward(loss)
        self.apply(step, lr)
        if self.its_optimiser is not None:
            self.its_optimiser.step()
            self.its_optimiser.zero_grad()
        return loss.detach()

    def apply(self, step: int, lr: float) -> None:
        """Take the optimiser's step by the gradients that are there."""
        self.stepper.apply(step, lr)

    def term(self, step: int, batch: Batch) -> Tensor:
        """Return how far the student is from the teacher about a batch, with what its gradients need."""
        teacher = self.teacher
        if teacher is None:
            raise _no_teacher()
        with deepest(teacher) as theirs, torch.no_grad(), self.stepper.fabric.autocast():
            generator = torch.Generator().manual_seed(0)
            wanted = self.opinion(inferred(self.given.task, teacher.eval(), batch, generator))
        with deepest(self.stepper.model) as ours:
            said = self.opinion(self.stepper.raw(step, batch))
        found = self.knobs.weight * soft(said, wanted, self.knobs.temperature)
        if self.projector is None or not ours or not theirs:
            return found
        return found + self.knobs.features * hint(ours[-1], theirs[-1], self.projector)

    def opinion(self, raw: Tensor) -> Opinion:
        """Return what raw outputs say. Raises PlanError for a task whose raw outputs cannot be compared."""
        found = self.given.task.opinion(raw.float(), self.given.state)
        if found is None:
            raise PlanError(
                f"recipe 'distil' compares what two models say, and {self.given.task.name} does not tell it",
                hint="--set train.recipe=supervised, or an `opinion` in the task's file",
            )
        return found

    def keep(self, saved: Checkpoint) -> None:
        """Keep model, optimiser and average, and the projector with its optimiser."""
        super().keep(saved)
        if self.projector is not None and self.its_optimiser is not None:
            saved.extra = {
                PROJECTOR: self.projector.state_dict(),
                ITS_OPTIMISER: self.its_optimiser.state_dict(),
            }

    def restore(self, saved: Checkpoint) -> None:
        """Go back to model, optimiser, average and projector."""
        super().restore(saved)
        if self.projector is not None and self.its_optimiser is not None:
            self.projector.load_state_dict(saved.extra[PROJECTOR])
            self.its_optimiser.load_state_dict(saved.extra[ITS_OPTIMISER])

    def _teacher(self) -> nn.Module | None:
        """Return the teacher, which learns nothing. Raises PlanError where there is none and one is needed."""
        if self.given.teacher is None:
            if self.knobs.weight or self.knobs.features:
                raise _no_teacher()
            return None
        return copy.deepcopy(self.given.teacher).to(self.device).requires_grad_(False).eval()

    def _projector(self) -> nn.Module:
        """Return a linear map from the student's deepest channels to the teacher's, drawn from the seed."""
        found = [_channels(m) for m in (self.stepper.model, self.teacher) if m is not None]
        if len(found) < 2 or not all(found):
            raise PlanError(
                "features can be compared of models that have a net alone",
                hint="--set train.recipe_options.features=0",
            )
        ours, theirs = found
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(self.given.plan.train.seed, self.given.number, PROJECTOR))
            return nn.Linear(ours, theirs).to(self.device)


def _no_teacher() -> PlanError:
    return PlanError(
        "recipe 'distil' needs a teacher, and this run has none",
        hint="vesalius compress --ways distil RUN, where the run is the teacher",
    )


def soft(said: Opinion, wanted: Opinion, temperature: float) -> Tensor:
    """Return how far what a student says is from what its teacher says, a number: the mean over cases, or their points.

    Of one of several labels it is T² · KL(teacher ‖ student) of probabilities softened to p^(1/T), of labels that hold
    each by itself the same of each, the mean over them; of numbers their mean squared difference.
    """
    p, q = said.values, wanted.values
    if said.choice == "none":
        return (p - q).square().mean()
    t = temperature
    if said.choice == "one":
        ours = F.log_softmax(p.clamp_min(LEAST).log() / t, dim=1)
        theirs = F.log_softmax(q.clamp_min(LEAST).log() / t, dim=1)
        return t * t * (theirs.exp() * (theirs - ours)).sum(dim=1).mean()
    ours, theirs = (torch.logit(v, eps=1e-6) / t for v in (p, q))
    share = theirs.sigmoid()
    apart = F.binary_cross_entropy_with_logits(ours, share) - F.binary_cross_entropy_with_logits(
        theirs, share
    )
    return t * t * apart


def hint(ours: Tensor, theirs: Tensor, projector: nn.Module) -> Tensor:
    """Return the mean squared distance of a student's map `(B, C, …)`, projected, from its teacher's `(B, C', …)`.

    Both are brought to mean 0 and deviation 1 over their channels at each point, and the finer one is averaged to the
    other's grid.
    """
    size = [min(a, b) for a, b in zip(ours.shape[2:], theirs.shape[2:], strict=True)]
    ours, theirs = (_averaged(m.float(), size).movedim(1, -1) for m in (ours, theirs))
    projected = projector(ours)
    one, other = (F.layer_norm(m, m.shape[-1:]) for m in (projected, theirs))
    return (one - other).square().mean()


def _averaged(maps: Tensor, size: list[int]) -> Tensor:
    if list(maps.shape[2:]) == size:
        return maps
    pool: Any = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}[len(size)]
    found: Tensor = pool(maps, size)
    return found


def _channels(model: nn.Module) -> int:
    """Return how many channels the deepest map of a model's first net has; 0 of one without a net of ours."""
    first = next(iter(watched(model).values()), None)
    return int(getattr(first, "channels", (0,))[-1])


@contextmanager
def deepest(model: nn.Module) -> Iterator[list[Tensor]]:
    """Give a list that the deepest map of the model's first net is put into when it is asked inside this block."""
    found: list[Tensor] = []
    net = next(iter(watched(model).values()), None)
    if net is None:
        yield found
        return
    handle = net.register_forward_hook(
        lambda module, inputs, output: found.extend(map(all_rows, maps_of(module, output)[-1:]))
    )
    try:
        yield found
    finally:
        handle.remove()


RECIPE = Distil
