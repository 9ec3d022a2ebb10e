"""What a model surely says of a case as it is, it must say of the case strongly changed, too; thresholds adapt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from vesalius.core.errors import PlanError
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.recipes._semi import SemiOptions, SemiSupervised
from vesalius.learn.recipes.contract import Member
from vesalius.learn.thresholds import Fixed, Flex, Free, Thresholds
from vesalius.prepare.batch import Batch
from vesalius.prepare.opinion import Opinion

NAMES = {
    "fixmatch": "What is surely said of an unlabelled case is learned of it strongly changed; for classes"
}


class FixMatchOptions(SemiOptions):
    """What FixMatch can be told.

    `adapt` says how thresholds adapt a class: `free` and `flex` as FreeMatch and FlexMatch do, or `none`. `threshold`
    is the probability from which a class is taken for true, which `free` does not heed; `momentum` is how much of its
    averages `free` keeps at each step.
    """

    adapt: Literal["free", "flex", "none"] = "free"
    threshold: float = Field(0.95, gt=0, lt=1)
    momentum: float = Field(0.99, ge=0, lt=1)


class FixMatch(SemiSupervised):
    """Sohn et al. 2020 (FixMatch, arXiv 2001.07685), with thresholds of later papers (see `learn/thresholds.py`).

    The likeliest class of a case that is hardly changed is its label where its probability reaches the threshold, and
    the task's loss on the same case strongly changed counts by the share of such cases. It serves every task whose raw
    outputs choose one of several (`Task.opinion`) and that makes targets of them (`Task.taught`): classes, and masks,
    whose points are chosen one by one. Raises PlanError for other tasks.
    """

    Options = FixMatchOptions

    def __init__(self, given: Member, options: FixMatchOptions) -> None:
        super().__init__(given, options)
        self.thresholds = _thresholds(given, options)

    def term(self, step: int) -> Tensor:
        """Return the loss on what is surely said, by the share of cases or points of which it is."""
        batch = self.weak(step)
        opinion = self._chosen(batch)
        self.thresholds.update(opinion.values, batch.case_ids)
        batch, opinion, known = self.strong(step, batch, opinion)
        sure = self.thresholds.sure(opinion.values) & known
        share = sure.float().mean()
        if not bool(sure.any()):
            return torch.zeros((), device=self.device)
        return share * self.stepper.loss(step, self.given.task.taught(batch, opinion, sure))

    def _chosen(self, batch: Batch) -> Opinion:
        """Return what the model says of a batch. Raises PlanError where nothing is chosen."""
        found = self.answered(self.stepper.model, batch)
        if found.choice != "one":
            raise PlanError(
                f"recipe '{self.given.plan.train.recipe}' takes the likeliest of several for true, and raw outputs of "
                f"{self.given.task.name} choose none",
                hint="--set train.recipe=meanteacher",
            )
        return found

    def keep(self, saved: Checkpoint) -> None:
        """Keep the thresholds, too."""
        super().keep(saved)
        saved.extra = {"thresholds": self.thresholds.keep()}

    def restore(self, saved: Checkpoint) -> None:
        """Go back to model, optimiser, average and thresholds."""
        super().restore(saved)
        kept: Mapping[str, Any] = saved.extra["thresholds"]
        self.thresholds.restore(kept)


def _thresholds(given: Member, options: FixMatchOptions) -> Thresholds:
    if options.adapt == "free":
        return Free(options.momentum)
    if options.adapt == "flex":
        return Flex(options.threshold, [e.case_id for e in given.examples])
    return Fixed(options.threshold)


RECIPE = FixMatch
