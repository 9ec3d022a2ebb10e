"""What recipes without targets share: views of a batch, heads that stay in the run, figures that tell a collapse."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vesalius import optimisers
from vesalius.core.image import Array
from vesalius.core.plan import PhasePlan, Plan, Section
from vesalius.core.seeds import seed_of
from vesalius.learn import quality
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.examples import augmented, batches
from vesalius.learn.parallel import rows
from vesalius.learn.recipes.contract import Held, Member, Recipe
from vesalius.learn.seeing import image_of, net_of, patient_of, pooled, spread_out
from vesalius.learn.stepper import Stepper
from vesalius.nets import Net
from vesalius.prepare.batch import Batch, Example, collate

HELD_VOXELS, AMONG_VOXELS = 8_000_000, 16_000_000  # that are looked at in held-out and in learned cases
MOST_HELD, MOST_AMONG = 256, 1024
FLAT, NARROW = (
    0.1,
    1.5,
)  # a spread and an effective rank of held-out cases, below which nothing tells them apart
SURE = 50  # steps, before which no verdict is given: embeddings begin with hardly any spread
HEADS = "heads"


@dataclass(frozen=True, eq=False)
class Views:
    """A batch as a pretext task sees it: `plain` as it is prepared, `views` each changed in its own way.

    `patients` are numbers that are alike where cases are of one patient, `(B,)`. `generator` is drawn from further.
    """

    plain: Tensor
    views: tuple[Tensor, ...]
    patients: Tensor
    generator: torch.Generator


class Pretext(Recipe):
    """A recipe that trains a net without targets. A file of this kind says which heads it needs and what its terms are.

    `heads` learn with the net and stay in the run: `head_of` makes them, and what they hold besides (a teacher, a
    queue) goes on after an interruption, too. `count` is how many views a step draws.
    """

    count = 2

    def __init__(self, given: Member, options: Section) -> None:
        super().__init__(given, options)
        self.stepper = Stepper(given.task, given.plan, given.state, given.number, given.fabric, given.start)
        self.net = net_of(self.stepper.model, given.plan)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(given.plan.train.seed, given.number, HEADS))
            self.heads = self.head_of(self.net, given.plan).to(self.device)
        rows.share(self.heads, self.stepper.crew)
        self._join(given.plan)
        self.draw = batches(given.examples, given.plan, given.number, task=given.task)
        self.patients = {p: k for k, p in enumerate(dict.fromkeys(map(patient_of, given.examples)))}

    @abstractmethod
    def head_of(self, net: Net, plan: Plan) -> nn.Module:
        """Return what learns with the net and is no part of it; weights are drawn from torch's own generator."""

    @abstractmethod
    def terms(self, net: Net, seen: Views) -> dict[str, Tensor]:
        """Return the named terms whose sum is minimised."""

    def embedded(self, net: Net, x: Tensor) -> Tensor | None:
        """Return what the loss compares of images, `(B, D)`; None of a recipe that compares none.

        It is scaled so that its deviation is about 1 where different images lie all ways (see `quality.deviation`).
        """
        return None

    def after(self, net: Net, seen: Views, step: int) -> None:
        """Do what follows a step, such as moving a teacher."""

    # --- a member in training

    def step(self, step: int, lr: float) -> Tensor:
        """Draw a batch and views of it, and take a step."""
        train, number = self.given.plan.train, self.given.number
        generator = torch.Generator().manual_seed(seed_of(train.seed, number, "batch", step))
        seen = self._views(self.draw.cut(step, generator), generator)
        self.heads.train()
        stepper = self.stepper
        stepper.seeded(step)
        with self.given.fabric.autocast():
            loss = torch.stack(list(self.terms(self.net, seen).values())).sum()
        self.given.fabric.backward(loss)
        stepper.meet()
        if train.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.heads.parameters(), train.clip_norm)
        stepper.apply(step, lr)
        with torch.no_grad():
            self.after(self.net, seen, step)
        return loss.detach()

    def _views(self, batch: Batch, generator: torch.Generator) -> Views:
        """Return views of a batch that is not augmented yet."""
        batch = batch.to(self.device)
        views = tuple(image_of(augmented(batch, self.given.plan, generator)) for _ in range(self.count))
        owners = [p or c for p, c in zip(batch.patients, batch.case_ids, strict=True)]
        known = [self.patients.get(p, -1 - k) for k, p in enumerate(owners)]
        return Views(image_of(batch), views, torch.tensor(known, device=self.device), generator)

    def _join(self, plan: Plan) -> None:
        """Have the optimiser move the heads, too."""
        train = plan.train
        if not any(p.requires_grad for p in self.heads.parameters()):
            return
        made = optimisers.build(
            train.optimizer,
            self.heads,
            lr=train.lr,
            weight_decay=train.weight_decay,
            options=train.optimizer_options,
        )
        for group in made.param_groups:
            self.stepper.optimizer_.add_param_group(group)

    def enter(self, phase: PhasePlan) -> None:
        """Freeze the parts that the phase names, and let all others learn."""
        self.stepper.freeze(phase.frozen)

    def weights(self) -> dict[str, Tensor]:
        """Return the moving average of the model, or its weights; the heads stay in the run."""
        return self.stepper.weights()

    def answering(self) -> AbstractContextManager[nn.Module]:
        """Give the model with those weights."""
        return self.stepper.averaged()

    def keep(self, saved: Checkpoint) -> None:
        """Keep the model, the optimiser, the average and all that the heads hold."""
        self.stepper.keep(saved)
        saved.extra[HEADS] = {k: v.detach().cpu() for k, v in self.heads.state_dict().items()}

    def restore(self, saved: Checkpoint) -> None:
        """Go back to there."""
        self.stepper.restore(saved)
        self.heads.load_state_dict(saved.extra[HEADS])

    # --- figures

    def looked(self) -> dict[str, float]:
        """Return how held-out cases lie in the features, and in what the loss compares, of the net as it would answer.

        Empty where no case is held out.
        """
        held = self.given.held
        few = spread_out(held.examples, HELD_VOXELS, MOST_HELD, self.given.plan)
        size = max(2, self.given.plan.train.batch)
        few = few[: len(few) - (len(few) % size == 1)]  # no loss compares one case with itself
        if not few:
            return {}
        with self.answering() as model, torch.no_grad():
            net = net_of(model, self.given.plan)
            self.heads.eval()
            one, other, embedded, loss = self._seen(net, few, size)
            among = self._among(net, held)
        found = {
            "effective_rank": quality.effective_rank(one - one.mean(axis=0)),
            "spread": quality.spread(one),
            "alignment": quality.alignment(one, other),
            "uniformity": quality.uniformity(one),
            "own_view": quality.own_view(one, other),
        }
        if embedded is not None:
            found |= {
                "embedding_rank": quality.effective_rank(embedded),
                "embedding_spread": quality.deviation(embedded),
            }
        if among is not None:
            labels = [held.labels.get(e.case_id, "") for e in few]
            known = [k for k, label in enumerate(labels) if label]
            found["neighbours"] = quality.by_neighbours(one[known], [labels[k] for k in known], *among)
        found = {name: value for name, value in found.items() if math.isfinite(value)}
        return {**found, "held_out_loss": loss, "score": -loss}

    def _seen(self, net: Net, few: Sequence[Example], size: int) -> tuple[Array, Array, Array | None, float]:
        """Return the features of some cases and of another view of them, what the loss compares, and the loss."""
        generator = torch.Generator().manual_seed(seed_of(self.given.plan.train.seed, "looked"))
        parts: list[list[Array]] = [[], [], []]
        total, n = 0.0, 0
        for k in range(0, len(few), size):
            chosen = few[k : k + size]
            seen = self._views(collate(chosen), generator)
            parts[0].append(pooled(net, seen.plain))
            parts[1].append(pooled(net, seen.views[0]))
            embedded = self.embedded(net, seen.plain)
            if embedded is not None:
                parts[2].append(embedded.float().cpu().numpy())
            total += float(torch.stack(list(self.terms(net, seen).values())).sum()) * len(chosen)
            n += len(chosen)
        third = np.concatenate(parts[2]) if parts[2] else None
        return np.concatenate(parts[0]), np.concatenate(parts[1]), third, total / n

    def _among(self, net: Net, held: Held) -> tuple[Array, list[str]] | None:
        """Return the features and the classes of learned cases; None where nobody says the classes."""
        known = [e for e in self.given.examples if held.labels.get(e.case_id)]
        few = spread_out(known, AMONG_VOXELS, MOST_AMONG, self.given.plan)
        if len(few) < 2:
            return None
        size = max(1, self.given.plan.train.batch)
        found = [
            pooled(net, image_of(collate(few[k : k + size]).to(self.device)))
            for k in range(0, len(few), size)
        ]
        return np.concatenate(found), [held.labels[e.case_id] for e in few]

    @classmethod
    def said(cls, history: Sequence[Mapping[str, float]], held: Held) -> str:
        """Return what the features of held-out cases came to, beside those of the net before it learned."""
        rows = [row for row in history if "effective_rank" in row]
        if not rows:
            return "no case was held out, so that nothing tells how good the features are"
        first, last = rows[0], rows[-1]
        rank = f"{last['effective_rank']:.1f} (before learning {first['effective_rank']:.1f})"
        if "neighbours" in last:
            hits, before, chance = last["neighbours"], first["neighbours"], 1 / len(set(held.labels.values()))
            near = f"the nearest cases tell '{held.about}' in {hits:.0%}"
            near += f" (before learning {before:.0%}, by chance {chance:.0%})"
        else:
            near = f"of {last['own_view']:.0%} the nearest other view is their own"
            near += f" (before learning {first['own_view']:.0%})"
        return f"held-out images: {near}; the effective rank of their features is {rank}"

    @classmethod
    def wrong(cls, history: Sequence[Mapping[str, float]]) -> str:
        """Return by which figure the features collapsed; empty where they did not, or after too few steps to tell."""
        rows = [row for row in history if "spread" in row]
        if not rows or rows[-1]["step"] < SURE:
            return ""
        first, last = rows[0], rows[-1]
        if (now := last.get("embedding_spread", 1.0)) < FLAT:
            return f"what its loss compares is all but the same for all held-out cases, a spread of {now:.4f}"
        if (rank := last.get("embedding_rank", math.inf)) < NARROW:
            return f"what its loss compares lies on one line for all held-out cases, an effective rank of {rank:.2f}"
        if (now := last["spread"]) < FLAT * first["spread"]:
            before = f"{first['spread']:.3f} before it learned"
            return (
                f"its features are all but the same for all held-out cases, a spread of {now:.4f}, {before}"
            )
        return ""
