"""What a recipe is: one member in training, which draws its own batches and takes its own steps.

The loop (`learn/loop.py`) does the rest, alike for every recipe: the schedule, validation, checkpoints, the clock,
Ctrl-C and the log. A recipe that only adds to the usual step derives from `supervised.Supervised`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from vesalius.core.bundle import State
from vesalius.core.errors import PlanError
from vesalius.core.fields import said
from vesalius.core.plan import PhasePlan, Plan, Section
from vesalius.core.registry import held
from vesalius.learn.checkpoint import Checkpoint
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task

KIND = "learn.recipes"


@dataclass(frozen=True, eq=False)
class Held:
    """What a member does not learn from, and may look at: cases, and the class of cases by their id.

    `labels` are of held-out and of learned cases, in words; they are known only where no target is learned from.
    `about` is what the classes are called.
    """

    examples: Sequence[Example] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True, eq=False)
class Member:
    """What the training of one member is given. `start` are weights to begin from, `fabric` holds the device.

    `unlabelled` are the ids of the examples that lack the target. `steps` is how many steps the schedule was made for.
    `held` is what it does not learn from, to be looked at while it trains.
    `timed` says that some steps are only timed, on a few examples that may lack a class; nothing is kept of them.
    `teacher` is a model of the same question, for recipes that learn from what it says. Whoever gives it sees to it
    that it learned from none of the cases that this member is judged by.
    """

    task: Task
    plan: Plan
    state: State
    examples: Sequence[Example]
    number: int
    fabric: Any
    start: Mapping[str, Tensor] | None = None
    unlabelled: frozenset[str] = frozenset()
    steps: int = 1
    held: Held = field(default_factory=Held)
    timed: bool = False
    teacher: nn.Module | None = None


class NoOptions(Section):
    """The options of a recipe that has none."""


class Recipe(ABC):
    """One member in training. What it draws must depend on the seed, the member and the step alone.

    `Options` are its typed options, which `train.recipe_options` of a plan sets. `unlabelled` says that it also learns
    from training cases that lack the target; `given.examples` then hold such cases, too. `steps` is how many it makes,
    where that does not follow from the time there is. `shards` says that its model may lie on several processes, for
    this class alone: a recipe that derives from it says so itself.
    """

    Options: ClassVar[type[Section]] = NoOptions
    unlabelled: ClassVar[bool] = False
    steps: ClassVar[int | None] = None
    shards: ClassVar[bool] = False

    def __init__(self, given: Member, options: Section) -> None:
        self.given = given

    @classmethod
    def defaults(cls, draft: Draft, prints: Fingerprint, machine: Machine) -> None:
        """Change in a draft what this recipe wants otherwise than the task, with its reasons; by default nothing."""
        return None

    def looked(self) -> dict[str, float]:
        """Return figures of what would answer now, by name, found on cases that it does not learn from.

        They stand in the log, in the history and in the report; one called `score` takes the place of the validation's.
        They are asked for before the first step, too. By default there are none.
        """
        return {}

    @classmethod
    def said(cls, history: Sequence[Mapping[str, float]], held: Held) -> str:
        """Return in a sentence what the figures of a member's history come to; empty where there is nothing to say."""
        return ""

    @classmethod
    def wrong(cls, history: Sequence[Mapping[str, float]]) -> str:
        """Return in a sentence, with its figure, why a member is of no use; empty where it is not."""
        return ""

    @classmethod
    def assert_takes(cls, task: Task, recipe: str) -> None:
        """Raise PlanError for a task that cannot be learned so, before anything is prepared; by default none is."""
        return None

    @classmethod
    def assert_known(cls, task: Task, model: nn.Module, taken: Iterable[str], recipe: str) -> None:
        """Raise PlanError where a net begins from weights of which too few were `taken` over; by default never."""
        return None

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        device: torch.device = self.given.fabric.device
        return device

    @abstractmethod
    def step(self, step: int, lr: float) -> Tensor:
        """Draw what step number `step` needs and take it. Returns the loss, detached and still on the device."""

    def enter(self, phase: PhasePlan) -> None:
        """Begin a phase of the planned `train.phases`, also after an interruption within it.

        What is frozen must depend on the phase alone. Raises PlanError for a recipe that cannot freeze anything.
        """
        if phase.frozen:
            raise PlanError(
                f"recipe '{self.given.plan.train.recipe}' cannot freeze parts of a model",
                found=", ".join(phase.frozen),
                hint="--set train.phases=[]",
            )

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """Return copies of the weights that would answer now, on the CPU."""

    @abstractmethod
    def answering(self) -> AbstractContextManager[nn.Module]:
        """Give the model that would answer now, in evaluation mode, inside this block; training goes on after it."""

    @abstractmethod
    def keep(self, saved: Checkpoint) -> None:
        """Put all that goes on after an interruption into `saved`; `saved.extra` is the recipe's own."""

    @abstractmethod
    def restore(self, saved: Checkpoint) -> None:
        """Go back to where `keep` was called."""


def get(name: str) -> type[Recipe]:
    """Return the recipe of that registered name. Raises UnknownName."""
    recipe: type[Recipe] = held(KIND, name, "RECIPE")
    return recipe


def options_of(plan: Plan) -> Section:
    """Return the options of the planned recipe, checked. Raises UnknownName, PlanError naming the option."""
    name, given = plan.train.recipe, plan.train.recipe_options
    kind = get(name).Options
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(p) for p in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields) or "none"
            raise PlanError(
                f"recipe '{name}' has no option '{option}'", found=known, hint="one of its own"
            ) from error
        what, found, hint = said(first)
        raise PlanError(f"train.recipe_options.{option}{what}", found=found, hint=hint) from error


def begin(given: Member) -> Recipe:
    """Return one member in training by the planned recipe. Raises UnknownName, PlanError."""
    kind, train = get(given.plan.train.recipe), given.plan.train
    if train.shard != "none" and not vars(kind).get("shards", False):
        raise PlanError(
            f"recipe '{train.recipe}' cannot train a net that lies on several processes",
            found=f"train.shard={train.shard}",
            hint="--set train.shard=none, or train.recipe=supervised",
        )
    return kind(given, options_of(given.plan))
