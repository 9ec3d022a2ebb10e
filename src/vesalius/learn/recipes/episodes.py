"""Episodes: features by which few cases of each class tell the class of others (prototypical networks)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.bundle import State
from vesalius.core.errors import DataError, PlanError
from vesalius.core.plan import Section
from vesalius.core.seeds import seed_of
from vesalius.core.words import counted
from vesalius.learn.episodes import Episode, Pool
from vesalius.learn.examples import augmented
from vesalius.learn.frozen import assert_linear, features_of, put, rows_of, unmixed
from vesalius.learn.heads import Head, prototypes
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.supervised import Supervised
from vesalius.learn.stepper import Stepper
from vesalius.prepare.batch import Batch, Example
from vesalius.tasks.contract import Task

NAMES = {
    "episodes": "Episodes of few shots: features by which a few cases tell a class (prototypical networks)"
}


class Options(Section):
    """An episode has `ways` classes, or all there are, `shots` cases of each to learn from and up to `queries` to ask.

    Where the rarest class has no more than `shots` patients, episodes have fewer shots.
    """

    ways: int = Field(5, ge=2)
    shots: int = Field(5, ge=1)
    queries: int = Field(5, ge=1)


class _Episodic:
    """A task whose loss about a batch is that of an episode: the support comes first, then the queries."""

    def __init__(self, task: Task, state: State) -> None:
        self.task, self.state = task, state
        self.episode: Episode | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the negative log likelihood of the queries' classes by their distance to the mean of the support.

        Squared distances are divided by the root of the number of features (Snell, Swersky, Zemel 2017, eq. 2).
        """
        features, _ = features_of(self.task, model, self.state, batch, frozen=False)
        episode = cast(Episode, self.episode)
        support, query = features[: len(episode.support)], features[len(episode.support) :]
        learned = torch.from_numpy(episode.learned).to(features.device)
        means = torch.stack([support[learned == k].mean(dim=0) for k in range(len(episode.ways))])
        apart = torch.cdist(query, means) ** 2 / features.shape[1] ** 0.5
        return {"episode": F.cross_entropy(-apart, torch.from_numpy(episode.truth).to(features.device))}


class Episodes(Supervised):
    """Trains the net on episodes; what answers is the prototypes of all the training cases, as a linear layer.

    The n-th episode depends on the seed, the member and n. No patient is among the support and the queries.
    """

    Options: ClassVar[type[Section]] = Options

    def __init__(self, given: Member, options: Section) -> None:
        assert_linear(given.task, given.plan.train.recipe)
        self.given, self.options = given, Options.model_validate(options.model_dump())
        self.pool = _pool(given, self.options)
        self.task = _Episodic(given.task, given.state)
        self.stepper = Stepper(
            cast(Task, self.task), given.plan, given.state, given.number, given.fabric, given.start
        )
        self._head: Head | None = None

    def step(self, step: int, lr: float) -> Tensor:
        """Draw an episode and take one optimiser step on its loss."""
        train = self.given.plan.train
        rng = np.random.default_rng(seed_of(train.seed, self.given.number, "episode", step))
        episode = self.pool.episode(rng)
        places = [*episode.support, *episode.query]
        batch = self.given.task.collate([self.given.examples[k] for k in places]).to(self.device)
        generator = torch.Generator().manual_seed(seed_of(train.seed, self.given.number, "batch", step))
        self.task.episode, self._head = episode, None
        return self.stepper.step(step, augmented(batch, unmixed(self.given.plan), generator), lr)

    def weights(self) -> dict[str, Tensor]:
        """Return the averaged weights, with the prototypes of the training cases as the last layer."""
        with self.answering() as model:
            return {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}

    def answering(self) -> AbstractContextManager[nn.Module]:
        """Give the model with those weights."""
        return self._answering()

    @contextmanager
    def _answering(self) -> Iterator[nn.Module]:
        given = self.given
        with self.stepper.averaged() as model:
            if self._head is None:
                rows = rows_of(
                    given.task, model, given.state, given.examples, plan=given.plan, member=given.number
                )
                self._head = prototypes(rows, "euclidean")
            put(assert_linear(given.task, given.plan.train.recipe).last_layer(model), self._head)
            yield model


def _pool(given: Member, options: Options) -> Pool:
    """Return what episodes are drawn from. Raises PlanError where cases have no class, DataError for too few."""
    label, kind = _classes(given, given.examples)
    if kind != "exclusive" or label is None:
        raise PlanError(
            "recipe 'episodes' needs one class a case",
            found=f"{given.task.name} of a target of another kind",
            hint="--set train.recipe=supervised",
        )
    who = np.array([e.patient or f"case {e.case_id}" for e in given.examples])
    patients = {int(k): len(np.unique(who[label == k])) for k in np.unique(label) if k >= 0}
    able = [k for k, n in patients.items() if n > 1]
    if len(able) < 2 and given.timed:  # few cases, which may be of one class: any two groups take as long
        label = np.arange(len(label)) % 2
        who = np.arange(len(label)).astype(str)
        patients = {k: int((label == k).sum()) for k in (0, 1)}
        able = [k for k, n in patients.items() if n > 1]
    if len(able) < 2:
        raise DataError(
            "episodes need two classes of two patients each at least",
            found=f"{counted(len(able), 'such class', 'such classes')} among the training cases",
            hint="--set train.recipe=supervised",
        )
    shots = min(options.shots, min(patients[k] for k in able) - 1)
    return Pool(label, who, tuple(able), min(options.ways, len(able)), shots, options.queries)


def _classes(given: Member, examples: Sequence[Example]) -> tuple[np.ndarray[Any, Any] | None, str]:
    """Return the class of each example, -1 where it has none, and the kind of what is wanted; None for maps."""
    linear = assert_linear(given.task, given.plan.train.recipe)
    label = np.full(len(examples), -1)
    kind = ""
    for k, example in enumerate(examples):
        wanted = linear.wanted(given.task.collate([example]), given.state)
        kind = wanted.kind
        if wanted.values.ndim != 2:
            return None, kind
        if bool(torch.isfinite(wanted.values).all()):
            label[k] = int(wanted.values[0].argmax())
    return label, kind


RECIPE = Episodes
