"""Cases without a target in training: how they are drawn, and how a model is shown them weakly and strongly changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vesalius.core.plan import AugmentPlan, Plan
from vesalius.core.seeds import seed_of
from vesalius.learn.examples import augmented, patch_of
from vesalius.prepare.batch import Batch, Example, collate
from vesalius.prepare.opinion import Opinion
from vesalius.tasks.contract import Task

# Of a strong view: how far each change goes at most, so that something is left to see, and how far those go at least
# that change intensities alone.
MOST = {
    "rotate_deg": 180.0,
    "translate": 0.4,
    "shear": 0.5,
    "zoom": 1.0,
    "elastic": 0.05,
    "crop": 0.5,
    "noise": 1.0,
    "blur": 1.0,
    "brightness": 1.0,
    "contrast": 1.0,
    "gamma": 1.0,
    "cutout": 0.5,
}
LEAST = {"noise": 0.2, "brightness": 0.3, "contrast": 0.3, "gamma": 0.3, "blur": 0.5, "cutout": 0.25}
LIKELY = 0.5  # how often each change of a strong view is made at least
VALUES, KNOWN = "opinion", "known"  # names of what moves with the image


@dataclass(frozen=True, eq=False)
class Beside:
    """Batches of `size` cases whose targets, if they have any, are not looked at; drawn for one member.

    Batch `step` depends on seed, member and step alone, so that a resumed run draws what it would have drawn. Each case
    comes once in an epoch, as the images of labelled cases do.
    """

    examples: Sequence[Example]
    plan: Plan
    member: int
    size: int
    stack: Callable[[Sequence[Example]], Batch] = collate

    def order(self, step: int) -> list[int]:
        """Return which examples make up a batch: a fresh permutation each epoch."""
        n = len(self.examples)
        places = range(step * self.size, (step + 1) * self.size)
        shuffled = {
            epoch: torch.randperm(n, generator=self._generator("beside", epoch)).tolist()
            for epoch in sorted({p // n for p in places})
        }
        return [shuffled[p // n][p % n] for p in places]

    def __call__(self, step: int, device: torch.device) -> Batch:
        """Return batch number `step`, without targets and unchanged, on `device`."""
        generator = self._generator("beside-patch", step)
        chosen = [_without_targets(self.examples[k]) for k in self.order(step)]
        if self.plan.data.sampling == "patches":
            chosen = [patch_of(e, (), self.plan, generator) for e in chosen]
        return self.stack(chosen).to(device)

    def generator(self, step: int, view: str) -> torch.Generator:
        """Return what the changes of one view of batch `step` are drawn from."""
        return self._generator(f"view-{view}", step)

    def _generator(self, name: str, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed_of(self.plan.train.seed, self.member, name, number))


def beside(task: Task, plan: Plan, examples: Sequence[Example], member: int, *, ratio: float) -> Beside:
    """Return batches of all these examples, `ratio` times as large as the batches of labelled ones."""
    return Beside(examples, plan, member, max(1, round(ratio * plan.train.batch)), stack=task.collate)


def weak(batch: Batch, plan: Plan, generator: torch.Generator, *, strength: float = 0.0) -> Batch:
    """Return a batch mirrored as planned, with all other planned changes `strength` times as far; 0 for none.

    Its cases are never mixed with one another: what is said of a mixture is said of no case.
    """
    settings = {name: getattr(plan.augment, name) * strength for name in MOST}
    return augmented(batch, _with(plan, plan.augment.model_copy(update=settings)), generator, mix=False)


def strong(
    batch: Batch, opinion: Opinion, plan: Plan, generator: torch.Generator, *, strength: float = 1.5
) -> tuple[Batch, Opinion, Tensor]:
    """Return a batch strongly changed, the opinion about it changed alike, and where that is known.

    An opinion about the points of images `(B, K, Z, Y, X)` moves with them, through the same grid; where a change
    brings in what was outside of the image nothing is known of it, and `known` `(B, Z, Y, X)` is False. One about whole
    cases stays as it is, and is known of each, `(B,)`.
    """
    told = _with(plan, stronger(plan.augment, strength))
    if not opinion.on_grid:
        known = torch.ones(len(opinion.values), dtype=torch.bool, device=opinion.values.device)
        return augmented(batch, told, generator, mix=False), opinion, known
    values = opinion.values
    fields = {VALUES: values, KNOWN: torch.ones_like(values[:, :1])}
    moved = augmented(
        replace(batch, targets=fields, on_grid=frozenset(fields), has={}), told, generator, mix=False
    )
    known = moved.targets[KNOWN][:, 0] > 0.5
    image = replace(moved, targets={}, on_grid=frozenset(), has={})
    return image, Opinion(moved.targets[VALUES], opinion.choice), known


def stronger(augment: AugmentPlan, strength: float) -> AugmentPlan:
    """Return changes `strength` times as far as planned; those of intensities go as far as `LEAST` says, or further.

    What is not planned of changes of place stays out, for a task may forbid it: mirror images that exchange sides, say.
    """
    settings = {}
    for name, most in MOST.items():
        planned = max(getattr(augment, name), LEAST.get(name, 0.0) if strength else 0.0)
        settings[name] = min(most, planned * strength)
    probability = max(augment.probability, LIKELY)
    return augment.model_copy(update={**settings, "probability": probability})


def _with(plan: Plan, augment: AugmentPlan) -> Plan:
    return plan.model_copy(update={"augment": augment})


def _without_targets(example: Example) -> Example:
    """Return an example without what it is to be learned from, where it has that: no opinion may look at it."""
    return replace(example, targets={}, on_grid=frozenset(), times_days=None)
