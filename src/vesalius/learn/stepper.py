"""One model in training: built from a seed, its gradients, and the optimiser's step, each of which can be had alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.errors import CodeError, PlanError
from vesalius.core.plan import Plan
from vesalius.core.seeds import seed_of
from vesalius.infer.asked import built, inferred, terms_of
from vesalius.infer.exact import keep_exact
from vesalius.language import tokenizers
from vesalius.learn.adapters import added
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.large.parts import assert_in_parts
from vesalius.learn.large.shards import clip, local
from vesalius.learn.large.shared import TENSOR, shared
from vesalius.learn.large.smaller import smaller
from vesalius.learn.optimise import Average, optimizer, rate
from vesalius.learn.parallel import rows
from vesalius.learn.parallel.crew import current
from vesalius.learn.phases import frozen_parts, is_frozen
from vesalius.learn.vocabulary import KNOWN
from vesalius.learn.weights import fit_of, placed
from vesalius.prepare.batch import Batch
from vesalius.tasks.contract import Task


@runtime_checkable
class TellsEach(Protocol):
    """A task that can tell the loss of each case of a batch in one pass."""

    def loss_each(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the loss of each case, `(B,)`."""


class Held:
    """A batch that Fabric hands on as it is.

    It would cast every float that it finds to the planned precision, and not images alone: in bf16 a box's corner at
    511.3 becomes 512, and day 1,001 becomes day 1,000. What may be computed so, autocast decides in the net.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class Objective(nn.Module):
    """A model and its task's loss as one module, so that devices, precision and gradients are Fabric's business."""

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.task, self.model = task, model

    def forward(self, held: Held, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the named terms of the loss."""
        return dict(terms_of(self.task, self.model, held.batch, generator))


def build(
    task: Task, plan: Plan, state: State, member: int, start: Mapping[str, Tensor] | None = None
) -> nn.Module:
    """Return a fresh model of a member, its weights drawn from the run's seed and the member alone.

    Where `start` has a tensor of the same name and shape (of another bundle, pre-trained), it is taken over.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(plan.train.seed, member, "weights"))
        model = built(task, plan, state, nets)
    setattr(model, KNOWN, tokenizers.held_in(state.values))
    if start:
        transfer(model, start)
    if plan.sources.joined or plan.sources.frames > 0:
        # A net sees another number of images in each step. In the layout below, oneDNN (torch 2.13) then writes beyond
        # what it owns on the way back through narrow layers, and the process ends.
        return model
    flat = plan.data.dims == 2 or any(p.ndim == 4 for p in model.parameters())  # a net that sees slices
    layout = torch.channels_last if flat else torch.channels_last_3d
    return model.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


def transfer(model: nn.Module, start: Mapping[str, Tensor]) -> int:
    """Copy every tensor of `start` that fits, adapted where it must be; returns how many. Raises PlanError for none."""
    taken, _ = placed(model, start)
    model.load_state_dict(taken, strict=False)
    return len(taken)


def fabric_for(plan: Plan, device: str | None = None) -> Any:
    """Return Lightning Fabric on the device there is, in the planned precision, which it does not announce."""
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    crew = current()
    kind = torch.device(device).type if device else ("cuda" if torch.cuda.is_available() else "cpu")
    precision: Any = "bf16-mixed" if plan.train.precision == "bf16" else "32-true"
    announced = logging.getLogger("lightning_fabric.utilities.rank_zero")
    before = announced.level
    announced.setLevel(logging.WARNING)
    try:
        if crew.alone:
            return Fabric(accelerator=kind, devices=card_of(device), precision=precision)
        own = [crew.local_rank] if kind == "cuda" else 1
        plugins: Any = [LightningEnvironment()]  # this process has joined the others already
        return Fabric(accelerator=kind, devices=own, precision=precision, plugins=plugins)
    finally:
        announced.setLevel(before)


def card_of(device: str | None) -> Any:
    """Return what Fabric takes for a device: the card that is named by its number, such as `cuda:1`, or 1 for any."""
    number = None if device is None else torch.device(device).index
    return 1 if number is None or torch.device(str(device)).type == "cpu" else [number]


class Stepper:
    """A model with its optimiser and moving average. A step is `gradients`, then `apply`."""

    def __init__(
        self,
        task: Task,
        plan: Plan,
        state: State,
        member: int,
        fabric: Any,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.plan, self.member, self.fabric, self.task, self.state = plan, member, fabric, task, state
        self.model = keep_exact(build(task, plan, state, member, start))
        taken = fit_of(self.model, start).taken if start and plan.train.layer_decay < 1 else ()
        seed = seed_of(plan.train.seed, member, "adapters")
        self.adapters = added(self.model, plan.train.lora, seed=seed) if plan.train.lora else None
        smaller(self.model, plan.train)
        objective = Objective(task, self.model)
        self.shards = shared(objective, self.model, plan, fabric.device)
        self.optimizer_ = optimizer(self.model, plan.train, taken)
        self.shards.suit(self.optimizer_)
        self.objective, self.wrapped = fabric.setup(objective, self.optimizer_)
        self.average = Average(self.model, plan.train.ema) if plan.train.ema else None
        self.crew = current()
        self._rows_shared = plan.train.shard != TENSOR  # else every process computes the whole batch
        if self._rows_shared:
            rows.share(self.model, self.crew)
        self._met = False
        self._learning = [n for n, p in self.model.named_parameters() if p.requires_grad]
        self._asleep: list[nn.Module] = []

    def freeze(self, names: Sequence[str]) -> None:
        """Keep the weights and the statistics of these parts as they are, and let all others learn.

        `names` are as in `PhasePlan.frozen`. Frozen parts are in evaluation mode: their dropout is off, and what they
        give for an image stays the same. Raises PlanError, UnknownName.
        """
        parts = frozen_parts(self.model, names)
        learning = set(self._learning)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name in learning and not is_frozen(name, parts))
            if not parameter.requires_grad:
                parameter.grad = None
        self._asleep = [m for n, m in self.model.named_modules() if n and is_frozen(n, parts)]
        self._awake()

    def _awake(self) -> None:
        """Put the model into training mode, but for what is frozen."""
        self.model.train()
        for module in self._asleep:
            module.training = False

    def step(self, step: int, batch: Batch, lr: float | None = None) -> Tensor:
        """Take one optimiser step. Returns the loss, detached and still on the device.

        Without `lr` the learning rate is the planned one of that step.
        """
        loss = self.gradients(step, batch)
        self.apply(step, lr)
        return loss

    def gradients(self, step: int, batch: Batch) -> Tensor:
        """Add the gradients of a batch's loss to the parameters. Returns the loss, detached."""
        loss = self.loss(step, batch)
        if not loss.requires_grad:
            raise CodeError(
                f"task {self.task.name}: the loss has no gradient, so that nothing can be learned",
                found="a loss that does not follow from the parameters of the model",
                hint="no detach(), no item() and no numpy in `loss`, and in the model that it asks",
            )
        self.fabric.backward(loss)
        return loss.detach()

    def meet(self) -> None:
        """Bring the gradients of all processes that take this step together, once; of one process nothing is done."""
        if self.crew.active and self._rows_shared and not self._met:
            self.crew.mean_gradients(p for group in self.optimizer_.param_groups for p in group["params"])
            self._met = True

    def apply(self, step: int, lr: float | None = None) -> None:
        """Clip the gradients, take the optimiser's step with them, clear them, and move the average."""
        train = self.plan.train
        if train.accumulate > 1:
            assert_in_parts(self.model, train.recipe)
        for group in self.optimizer_.param_groups:
            group["lr"] = (rate(step, train) if lr is None else lr) * group.get("rate_scale", 1.0)
        self.meet()
        if self.shards.any:
            self._clip_shared()
        elif train.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), train.clip_norm, foreach=True)
        self.wrapped.step()
        self.wrapped.zero_grad()
        self._met = False
        if self.average:
            self.average.update(step)

    def _clip_shared(self) -> None:
        """Clip gradients that lie on several processes, those of what is frozen left out: FSDP2 yet makes some."""
        for parameter in self.model.parameters():
            if not parameter.requires_grad:
                parameter.grad = None
        if self.plan.train.clip_norm:
            clip(self.model.parameters(), self.plan.train.clip_norm)

    def loss(self, step: int, batch: Batch) -> Tensor:
        """Return the sum of the loss's terms for a batch, with what its gradients need; drawn as `step` says."""
        generator = self.seeded(step)
        return torch.stack(list(self.objective(Held(batch), generator).values())).sum()

    def loss_each(self, step: int, batch: Batch) -> Tensor:
        """Return the loss of each case of a batch, `(B,)`, with what its gradients need.

        Raises PlanError for a task that does not tell it.
        """
        if not isinstance(self.task, TellsEach):
            raise PlanError(
                f"recipe '{self.plan.train.recipe}' needs the loss of each case, which {self.task.name} does not tell",
                hint="--set train.recipe=supervised, or a `loss_each` in the task's file",
            )
        generator = self.seeded(step)
        with self.fabric.autocast():
            return self.task.loss_each(self.model, batch, generator)

    def raw(self, step: int, batch: Batch) -> Tensor:
        """Return the raw outputs about a batch of the model in training mode, with what their gradients need."""
        generator = self.seeded(step)
        with self.fabric.autocast():
            return inferred(self.task, self.model, batch, generator)

    def seeded(self, step: int) -> torch.Generator:
        """Put the model into training mode; seed what dropout and its kin draw from. Returns the loss's generator."""
        seed = self.plan.train.seed
        self._seed(seed_of(seed, self.member, "step", step))
        generator = torch.Generator().manual_seed(seed_of(seed, self.member, "loss", step))
        if not self.model.training:
            self._awake()
        return generator

    def _seed(self, seed: int) -> None:
        """Seed as torch.manual_seed does, without its calls for devices not in use."""
        torch.default_generator.manual_seed(seed)
        if self.fabric.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def weights(self) -> dict[str, Tensor]:
        """Return copies of what answers are made with: the moving average, or the weights themselves.

        What adapters add is in the weights that they lie beside, so that a bundle knows nothing of adapters.
        """
        own: Mapping[str, Tensor] = self.average.values if self.average else self.model.state_dict()
        chosen = self.shards.whole_of(self.model, own)
        if self.adapters:
            chosen = self.adapters.merged(chosen)
        return {k: v.detach().cpu().clone() for k, v in chosen.items()}

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Give the model with the averaged weights in evaluation mode inside this block, and put its own back.

        Of a model that lies on several processes the first is given a whole one, and the others have nothing to ask.
        """
        if self.shards.any:
            weights = self.weights()
            yield self._whole(weights) if self.shards.leads else self.model
            return
        own = {k: v.detach().clone() for k, v in self.model.state_dict().items()} if self.average else None
        if self.average:
            self.load(self.average.values)
        self.model.eval()
        try:
            yield self.model
        finally:
            if own is not None:
                self.load(own)
            self._awake()

    def _whole(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Return a model of this process alone with these weights, in evaluation mode."""
        model = keep_exact(build(self.task, self.plan, self.state, self.member))
        model.load_state_dict(weights)
        return model.to(self.fabric.device).eval()

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take other weights, all of them by name; the optimiser and the average stay."""
        self.shards.put(self.model, weights)

    def keep(self, saved: Checkpoint) -> None:
        """Put what goes on after an interruption into a checkpoint."""
        shards, model = self.shards, self.model
        saved.model = {k: v.detach().cpu() for k, v in shards.whole_of(model, model.state_dict()).items()}
        average = shards.whole_of(model, self.average.values) if self.average else {}
        saved.average = {k: v.cpu() for k, v in average.items()}
        saved.optimizer = shards.whole_optimizer(model, self.optimizer_)

    def restore(self, saved: Checkpoint) -> None:
        """Go back to where a checkpoint was."""
        self.load(saved.model)
        held = self.shards.own_optimizer(self.model, self.optimizer_, saved.optimizer)
        self.optimizer_.load_state_dict(held)
        if self.average:
            like = self.model.state_dict()
            self.average.load({k: local(self.shards.own(k, v, like[k])) for k, v in saved.average.items()})
