"""What a frozen net says of examples: the rows that a last layer in closed form is fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.bundle import State
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.core.seeds import seed_of
from vesalius.core.words import listed
from vesalius.infer.asked import inferred
from vesalius.learn.examples import augmented, centres_of, patch_of
from vesalius.learn.heads import Head, Rows
from vesalius.learn.parallel.inside import all_rows
from vesalius.prepare.batch import Batch, Example
from vesalius.tasks.contract import Task, Wanted

BATCH = 16  # whole cases that go through the net at once
POINTS = 200  # of a map, of each label of a view of a case
MOST_POINTS = 6000  # of a map, in all
PATCHES = 4  # of a case, where training sees patches


@runtime_checkable
class Linear(Protocol):
    """A task whose raw outputs are a linear layer's: of a case's features, or of those of each of its points."""

    def last_layer(self, model: nn.Module) -> nn.Module:
        """Return the linear layer, or the convolution of one point, whose outputs are the raw answers.

        Raises PlanError for a model that has none.
        """

    def wanted(self, batch: Batch, state: State) -> Wanted:
        """Return what the layer should give for a batch."""


def assert_linear(task: Task, recipe: str) -> Linear:
    """Return the task, if its last layer can be found in closed form. Raises PlanError."""
    if isinstance(task, Linear):
        return task
    raise PlanError(
        f"recipe '{recipe}' finds a linear last layer, and {task.name} has none",
        hint="--set train.recipe=supervised, or without --shots",
    )


def assert_known(task: Task, model: nn.Module, taken: Iterable[str], recipe: str) -> None:
    """Raise PlanError where weights below the last layer are not among the `taken`: they are random."""
    last = {id(p) for p in assert_linear(task, recipe).last_layer(model).parameters()}
    given = set(taken)
    random = [n for n, p in model.named_parameters() if id(p) not in last and n not in given]
    if random:
        raise PlanError(
            f"recipe '{recipe}' learns nothing below the last layer, and weights there would stay random",
            found=f"{listed(random, 3)} not among the weights that --init names",
            hint="--init with weights of the same net, or --set train.recipe=supervised",
        )


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of one example: its place, the features `(N, F)` and what is wanted of them `(N, K)`, weighted.

    Of a case as a whole there is one row; of a map a row for each point that was drawn.
    """

    place: int
    features: Array
    wanted: Array
    weight: Array


def rows_of(
    task: Task,
    model: nn.Module,
    state: State,
    examples: Sequence[Example],
    *,
    plan: Plan,
    member: int,
    views: int = 0,
    balance: float = 0.5,
) -> Rows:
    """Return what a frozen model sees of examples: each as it is, and `views` times augmented as planned.

    Points of maps are drawn by the seed, up to POINTS of each label of a view; a label that covers a share p of the
    points then counts as p to the power of 1 - `balance`. Examples without a target give none. Raises DataError where
    nothing is left.
    """
    device = next(model.parameters()).device
    found: list[Seen] = []
    kinds: list[Wanted] = []
    for batch, places, generator in _batches(task, examples, plan, member, views):
        features, wanted = features_of(task, model, state, batch.to(device))
        kinds.append(wanted)
        for k, place in enumerate(places):
            seen = _points(features[k], wanted.values[k], place, generator, balance, wanted.exclusive)
            if len(seen.weight):
                found.append(seen)
    if not found:
        raise DataError("no case has a target, so nothing can be learned", found=f"{len(examples)} cases")
    most = max(1, MOST_POINTS // len(found))
    found = [_fewer(s, most, seed_of(plan.train.seed, member, "fewer", k)) for k, s in enumerate(found)]
    each = [s.weight for s in found]
    return Rows(
        np.concatenate([s.features for s in found]),
        np.concatenate([s.wanted for s in found]),
        np.concatenate([np.full(len(s.weight), s.place) for s in found]),
        np.concatenate([w / w.sum() for w in each]),
        kinds[0].kind,
    )


def features_of(
    task: Task, model: nn.Module, state: State, batch: Batch, *, frozen: bool = True
) -> tuple[Tensor, Wanted]:
    """Return what the last layer is given about a batch, `(B, F)` or `(B, F, N)` of N points, and what it should give.

    The latter has the same points. Where the net is not `frozen`, gradients reach it. Raises PlanError where the layer
    is not asked, or asked more than once.
    """
    linear = assert_linear(task, "prototypes")
    given: list[Tensor] = []
    handle = linear.last_layer(model).register_forward_pre_hook(
        lambda _, inputs: given.append(all_rows(inputs[0]))
    )
    try:
        with torch.inference_mode(frozen):
            inferred(task, model, batch, torch.Generator().manual_seed(0))
    finally:
        handle.remove()
    if len(given) != 1:
        raise PlanError(
            f"the last layer of {task.name} must be asked once about a batch", found=f"{len(given)} times"
        )
    wanted, features = linear.wanted(batch, state), given[0].float()
    if features.ndim > 2:
        features = features.flatten(2)
        wanted = Wanted(wanted.values.flatten(2), wanted.kind)
    return features, wanted


def put(layer: nn.Module, head: Head) -> None:
    """Write a head into a linear layer or a convolution of one point."""
    weight, bias = layer.weight, layer.bias
    if not isinstance(weight, Tensor) or not isinstance(bias, Tensor):
        raise PlanError("the last layer must have a weight and a bias", found=type(layer).__name__)
    with torch.no_grad():
        weight.copy_(torch.from_numpy(head.weight).to(weight).reshape(weight.shape))
        bias.copy_(torch.from_numpy(head.bias).to(bias))


def _batches(
    task: Task, examples: Sequence[Example], plan: Plan, member: int, views: int
) -> Iterator[tuple[Batch, list[int], torch.Generator]]:
    """Yield batches with the places of their examples: first as they are, then each view augmented.

    Where training sees patches, PATCHES of each example stand for it.
    """
    patches = plan.data.sampling == "patches"
    for view in range(views + 1):
        generator = torch.Generator().manual_seed(seed_of(plan.train.seed, member, "view", view))
        maps = patches or any(
            e.on_grid for e in examples
        )  # the features of each point of several would be many
        size = 1 if maps else max(1, min(BATCH, plan.train.batch))
        for first in range(0, len(examples), size):
            places = list(range(first, min(first + size, len(examples))))
            for _ in range(PATCHES if patches else 1):
                chosen = [examples[k] for k in places]
                if patches:
                    centres = centres_of(chosen[0], places[0], plan)
                    chosen = [patch_of(chosen[0], centres, plan, generator)]
                batch = task.collate(chosen)
                yield (augmented(batch, unmixed(plan), generator) if view else batch), places, generator


def unmixed(plan: Plan) -> Plan:
    """Return the plan without mixtures of cases: a mixture is no case of a label."""
    return plan.model_copy(update={"augment": plan.augment.model_copy(update={"mixup": 0.0})})


def _points(
    features: Tensor,
    wanted: Tensor,
    place: int,
    generator: torch.Generator,
    balance: float,
    exclusive: bool,
) -> Seen:
    """Return one example's rows: one for the case, or those of points drawn from a map `(F, N)`."""
    if features.ndim == 1:
        known = bool(torch.isfinite(wanted).all())
        return Seen(
            place,
            features.double().cpu().numpy()[None][:known],
            wanted.double().cpu().numpy()[None][:known],
            np.ones(int(known)),
        )
    values = wanted.cpu()
    known_points = torch.isfinite(values).all(dim=0)
    label = values.nan_to_num(0.0).argmax(dim=0) if exclusive else torch.zeros_like(known_points).long()
    total = max(1, int(known_points.sum()))
    chosen: list[Tensor] = []
    weight: list[Array] = []
    for k in range(len(values) if exclusive else 1):
        there = torch.nonzero(known_points & (label == k))[:, 0]
        if not len(there):
            continue
        drawn = there[torch.randperm(len(there), generator=generator)[:POINTS]]
        share = (len(there) / total) ** (1 - balance)
        chosen.append(drawn)
        weight.append(np.full(len(drawn), share / len(drawn)))
    if not chosen:
        return Seen(place, np.zeros((0, len(features))), np.zeros((0, len(values))), np.zeros(0))
    at = torch.cat(chosen)
    return Seen(
        place,
        features[:, at.to(features.device)].T.double().cpu().numpy(),
        values[:, at].T.double().numpy(),
        np.concatenate(weight),
    )


def _fewer(seen: Seen, most: int, seed: int) -> Seen:
    """Return at most so many rows of an example, drawn evenly from each label, which keeps its whole weight."""
    if len(seen.weight) <= most:
        return seen
    label = seen.wanted.argmax(axis=1)
    rng, kept, weight = np.random.default_rng(seed), [], []
    for k in np.unique(label):
        own = np.flatnonzero(label == k)
        drawn = rng.permutation(own)[: max(1, most // len(np.unique(label)))]
        kept.append(drawn)
        weight.append(np.full(len(drawn), seen.weight[own].sum() / len(drawn)))
    at = np.concatenate(kept)
    return Seen(seen.place, seen.features[at], seen.wanted[at], np.concatenate(weight))
