"""The contract between a task and everything that trains, infers and explains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.answers import Answer
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import UnknownName
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.registry import lookup
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared


@dataclass(frozen=True, eq=False)
class Tile:
    """Raw output of one tile `(K, z, y, x)` or of any other shape, and where it began in the prepared grid."""

    raw: Any
    start: tuple[int, int, int]
    size: tuple[int, int, int]


class Nets(Protocol):
    """What builds networks: `vesalius.nets`."""

    def build(
        self,
        name: str,
        *,
        dims: int,
        in_channels: int,
        scale: float = 1.0,
        dropout: float = 0.0,
        size: tuple[int, ...] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        """A network of that registered name."""


def planned_weights(plan: Plan, share: Array, *, multilabel: bool = False) -> list[float] | None:
    """The planned class weights from how often each class occurs, `(K,)`; their mean over what occurs is one.

    For several labels at once: how much rarer a label is than its absence.
    """
    if plan.loss.class_weights == "none":
        return None
    share = np.clip(np.asarray(share, dtype=np.float64), 1e-5, 1.0)
    weights = (1 - share) / share if multilabel else 1 / share
    if plan.loss.class_weights == "root":
        weights = np.sqrt(weights)
    if not multilabel:
        weights = weights / (weights * share).sum()
    return [float(w) for w in weights]


def planned_net(plan: Plan, nets: Nets) -> Any:
    """The plan's net, as every task builds it."""
    return nets.build(
        plan.net.name,
        dims=plan.data.dims,
        in_channels=plan.data.channels,
        scale=plan.net.scale,
        dropout=plan.net.dropout,
        size=plan.data.size[-plan.data.dims :],
        options=plan.net.options,
    )


class Task(ABC):
    """One question. Instances hold nothing: what is learned lives in the State and in the model.

    `targets` are the kinds of target it can learn from, `roles` the roles of the nets it takes. `run` says how
    a case is answered: `whole` in one piece; `dense` tile by tile, blended into one field in bounded memory,
    with `point` turning finished stretches of it into values; `tiles` tile by tile, joined by `merge`.
    `primary` is the metric (of the answer's kind) that picks the checkpoint; larger is better. `recipe` names how it is
    trained unless a plan says otherwise (`learn/recipes/`).
    """

    name: ClassVar[str]
    answer: ClassVar[type[Answer]]
    targets: ClassVar[tuple[str, ...]]
    roles: ClassVar[tuple[str, ...]]
    run: ClassVar[Literal["whole", "dense", "tiles"]]
    primary: ClassVar[str]
    trains_without_target: ClassVar[bool] = False
    recipe: ClassVar[str] = "supervised"

    @abstractmethod
    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """What is missing before this cohort can be learned from; empty when nothing is."""

    @abstractmethod
    def state(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> State:
        """What is learned from the training cases without gradients."""

    @abstractmethod
    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """A prepared case with its targets as numbers."""

    @abstractmethod
    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """The model: a net, what the task puts on it, and its loss."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Named terms; their sum is minimised."""

    @abstractmethod
    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Raw output, `(B, …)`, of whole cases or of tiles."""

    @abstractmethod
    def decode(self, raw: Any, state: State, calibration: Mapping[str, Any], reference: Image) -> Answer:
        """The Answer in the reference's geometry.

        `raw` is: for `whole`, this case's raw output as an array; for `dense`, the integer or float field
        that `point` made, `(Z, Y, X)` on the reference's grid; for `tiles`, what `merge` returned.
        """

    @abstractmethod
    def scalar(self, raw: Tensor, what: int) -> Tensor:
        """`(B,)`: a differentiable number that explainers may follow, for the label at place `what`."""

    def point(self, raw: Tensor) -> Tensor:
        """For `dense`: raw `(K, z, y, x)` → the value of each point, `(z, y, x)`; by default the likeliest label."""
        return raw.max(
            dim=0
        ).indices  # as argmax says, which takes three times as long along this axis on a CPU

    def merge(self, tiles: Sequence[Tile], shape: tuple[int, int, int]) -> Any:
        """For `tiles`: join what the tiles gave. `shape` is the prepared grid."""
        raise NotImplementedError(f"{self.name} does not run in tiles")

    def remember(self, cases: Sequence[Case], state: State) -> State:
        """The state with what the trivial answer needs, learned once from the training cases."""
        return state

    def trivial(self, state: State, reference: Image) -> Answer | None:
        """The answer that looks at nothing (majority, mean, mean mask), to stand beside every figure."""
        return None

    def truth(self, case: Case, state: State) -> Any:
        """What `metrics` holds an answer against, or None where the case has no target."""
        target = state.values.get("target")
        return case.targets.get(str(target)) if target else None


def get(name: str) -> Task:
    """The task of that registered name. Raises UnknownName."""
    module = lookup("tasks", name)
    task: Task = module.TASKS[name] if hasattr(module, "TASKS") else module.TASK
    return task


def for_target(kind: str, known: Mapping[str, Task]) -> Task:
    """The task that learns from a kind of target. Raises UnknownName."""
    for task in known.values():
        if kind in task.targets:
            return task
    raise UnknownName("target kind", kind, (k for t in known.values() for k in t.targets))
