"""The contract of a way of compressing: what it is given, what it returns, and what it must not look at.

One file in `compress/ways/` is one way, or a family: it ends in `WAY = …()`, or in `WAYS = {"prune-filters": …}` with
the same names in a literal `NAMES`. A way is given the members of one stage and the cases that each of them learned
from. It never sees the cases of a member's own fold: by these the gate (`compress/gate.py`) judges what the way made,
so a way that chose by them would be judged by what it was made for. A way that must choose takes cases of `learned`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import nn

from vesalius.core.bundle import Bundle, State
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.seeds import seed_of
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task

COMPRESSED = "compressed"  # the extra record of what was done to a bundle, for its card
TORCH, ONNX, OPENVINO = "torch", "onnx", "openvino"  # runtimes, as `Stage.runtime` names them


@dataclass(frozen=True, eq=False)
class Member:
    """One member of a stage. `number` is that of the fold that it never saw.

    `module` is its torch model in evaluation mode on the CPU, float32. Where `graph` is given, that ONNX file answers
    and the module stands for it where gradients are needed; its weights are then those that the graph computes with.
    """

    number: int
    module: nn.Module
    graph: Path | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """One stage as a way finds it or leaves it: its plan, its task's state, its members and the runtime they need.

    `extras` are records that must be sealed so that the members can be built again, such as the shapes of layers that
    were made narrower, by names of one word in lower case. Alarm, drift, calibration and self-test are not among them:
    they are made anew for every model that is kept.
    """

    plan: Plan
    state: State
    members: tuple[Member, ...]
    runtime: str = TORCH
    extras: Mapping[str, State] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Source:
    """What a way is given: the model to compress, and what may be learned from.

    `bundle` is the original, `model` what is to be compressed: the original's stage, or what an earlier way of a
    combination made of it, which `before` names. `examples` are prepared training cases by case id, and `learned_ids`
    says which of them each member learned from, by its number. `unlabelled_ids` are examples without the target, none
    of a patient of any member's own fold. `until` is a `time.monotonic()` at which the verb's time is over, None
    without a limit.
    """

    bundle: Bundle
    task: Task
    model: Model
    examples: Mapping[str, Example]
    learned_ids: Mapping[int, Sequence[str]]
    unlabelled_ids: Sequence[str] = ()
    before: tuple[str, ...] = ()
    seed: int = 0
    device: str | None = None
    until: float | None = None

    def learned(self, number: int) -> tuple[Example, ...]:
        """Return the prepared cases that a member learned from; none of them is of its own fold."""
        return tuple(self.examples[i] for i in self.learned_ids[number] if i in self.examples)

    @property
    def unlabelled(self) -> tuple[Example, ...]:
        """The prepared cases without the target, which no member's gate looks at."""
        return tuple(self.examples[i] for i in self.unlabelled_ids if i in self.examples)

    def some(self, number: int, most: int, *, what: str = "calibration") -> tuple[Example, ...]:
        """Return at most so many of the cases that a member learned from, drawn by the seed and by their use."""
        every = self.learned(number)
        if len(every) <= most:
            return every
        rng = np.random.default_rng(seed_of(self.seed, number, what))
        return tuple(every[k] for k in sorted(rng.choice(len(every), most, replace=False)))

    @property
    def left_s(self) -> float | None:
        """How many seconds are left of the verb's time; None without a limit."""
        return None if self.until is None else self.until - time.monotonic()

    def after(self, variant: Variant) -> Source:
        """Return what the next way of a combination is given: the same cases, and what the way before made."""
        return replace(self, model=variant.model, before=(*self.before, variant.way))


@dataclass(frozen=True, eq=False)
class Variant:
    """What a way made of a model, not yet sealed and not yet judged.

    `changed` says in sentences what was changed, for the report and the card. `figures` are numbers of its own that the
    report shows, such as the share of filters that were removed, by what they are called.
    """

    way: str
    model: Model
    changed: tuple[str, ...]
    figures: Mapping[str, float] = field(default_factory=dict)


class Way(ABC):
    """A way of compressing a model. Instances hold nothing.

    `cost` says when `auto` tries it: about how many times the time of one look at the training cases it takes. A way
    that `combines` leaves torch modules behind, so that another way can go on from what it made.
    """

    name: ClassVar[str]
    cost: ClassVar[float]
    combines: ClassVar[bool] = False

    @abstractmethod
    def suits(self, source: Source) -> str:
        """Return in words why this model cannot be compressed in this way; empty where it can.

        A library that is missing is such a reason, with the line that installs it. Nothing is computed.
        """

    @abstractmethod
    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the compressed model. `to` is a folder for graphs, checkpoints and whatever else it has to write.

        It may be ended at any moment and called again with the same folder. `source.model` and its modules stay as they
        are. Raises VesaliusError's kinds where it cannot be done, PlanError or BudgetError among them.
        """
