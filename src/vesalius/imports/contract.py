"""What an origin of models gives: plans, what they learned, and their weights; and what a person says beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vesalius.core.bundle import State
from vesalius.core.plan import Plan

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Told:
    """What a person says of a model that its files do not say, or say otherwise.

    `task` is a registered task; `labels` are the names of outputs by their place, `{0: "benign"}`, or of a mask by its
    value, `{1: "liver"}`; `normalise` is a word (see `normalising.py`); `settings` are planned values by path.
    """

    task: str | None = None
    labels: Mapping[int, str] = field(default_factory=dict)
    normalise: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Brought:
    """One model of others, ready to be sealed into a bundle.

    `members` are the weights of each member by the names of our model, or the bytes of its ONNX graph where `runtime`
    is `onnx`; with `alone` such a graph is all that there is: no net of ours computes the same. `origin` is where it
    came from, in words without a path; `facts` are further ones by name, for its card. `notes` are sentences that must
    be read: what is assumed, and what was left out.
    """

    plan: Plan
    state: State
    members: tuple[Mapping[str, Tensor] | bytes, ...]
    origin: str
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    licence: str = ""
    runtime: str = "torch"
    calibration: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, State] = field(default_factory=dict)
    alone: bool = False
