"""Weights of others in a model of ours: each of its tensors is given, in its shape, or nothing is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.errors import BundleError
from vesalius.core.plan import Plan
from vesalius.core.words import counted, listed
from vesalius.infer.asked import built
from vesalius.tasks.contract import Task
from vesalius.weights.contract import Weights

if TYPE_CHECKING:
    from torch import Tensor, nn

NET, HEAD, OWN = "net.", "head.", "criterion."


def model_of(task: Task, plan: Plan, state: State, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Return the model that a plan builds with these tensors in it, for answering.

    Raises BundleError where one of them is missing, of another shape, or has no place.
    """
    model = built(task, plan, state, nets)
    own = model.state_dict()
    needed = {name for name in own if not name.startswith(OWN)}
    wrong = sorted(needed ^ set(tensors)) or [
        f"{n} {tuple(tensors[n].shape)}, not {tuple(own[n].shape)}"
        for n in tensors
        if tensors[n].shape != own[n].shape
    ]
    if wrong:
        raise BundleError(
            f"the weights do not fill a {plan.net.name} with its head",
            found=f"{counted(len(wrong), 'tensor')} apart: {listed(wrong, 3)}",
            hint="the whole model with its last layer; `vesalius fit --init` takes over a part of one",
        )
    model.load_state_dict({**own, **tensors})
    return model.eval()


def members_of(task: Task, plan: Plan, state: State, weights: Weights) -> dict[str, Tensor]:
    """Return weights that were read as a model of ours keeps them, each in its place. Raises BundleError."""
    if not weights.head:
        raise BundleError(
            f"{weights.origin} has no last layer, so that it answers nothing",
            hint="`vesalius fit --init FILE` begins from it",
        )
    tensors = {f"{NET}{name}": t for name, t in weights.tensors.items()}
    tensors |= {f"{HEAD}{name}": t for name, t in weights.head.items()}
    return dict(model_of(task, plan, state, tensors).state_dict())
