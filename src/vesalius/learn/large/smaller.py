"""Less memory for a step: what a plan says of parts of a batch and of computing again, put into a model."""

from __future__ import annotations

from torch import nn

from vesalius.core.errors import PlanError
from vesalius.core.plan import TrainPlan
from vesalius.learn.large.parts import in_parts
from vesalius.learn.large.recompute import recompute


def smaller(model: nn.Module, train: TrainPlan) -> None:
    """Have a model's nets keep less while they learn, as planned, in place; names and weights stay as they are.

    Raises PlanError for a net that cannot.
    """
    if train.accumulate > train.batch:
        raise PlanError(
            "train.accumulate cuts a batch into more parts than it has cases",
            found=f"train.accumulate={train.accumulate}, train.batch={train.batch}",
            hint=f"--set train.accumulate={train.batch}",
        )
    if train.recompute:
        recompute(model)
    if train.accumulate > 1:
        in_parts(model, train.accumulate)
