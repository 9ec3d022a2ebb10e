"""The models of `prognose`: what a net says, as log hazards of each event under each arm. Torch.

A raw answer is `(B, A, 1 + E + W)` of A arms and E events: whether the case was given that arm, one log hazard of each
event, and W logits, those of the events one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.image import Array
from vesalius.prepare.batch import Batch, Example
from vesalius.tasks import _hazards
from vesalius.tasks._regressor import Regressor, TableRegressor
from vesalius.tasks.contract import Task

AT_ONCE = 16  # cases that are asked together when a baseline is fitted
STEEP = 20.0  # what a straight line is multiplied by, so that rates which suit nets reach its end, too


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model says of an event: `kind` of model, how many causes, how often each, and where intervals end.

    `upto` is the interval by whose end the risk is taken.
    """

    kind: str
    causes: int
    shares: tuple[float, ...]
    ends: tuple[float, ...]
    upto: int

    @property
    def width(self) -> int:
        """Return how many logits it has."""
        if self.kind == "cox":
            return self.causes
        return self.causes * len(self.ends) + (self.kind == "deephit")

    def loss(self, logits: Tensor, events: Tensor) -> Tensor:
        """Return the loss of logits `(B, width)` about events `(B, 3)`."""
        if self.kind == "cox":
            return _hazards.cox(logits, events)
        ends = torch.tensor(self.ends, dtype=torch.float32, device=logits.device)
        how = _hazards.discrete if self.kind == "hazard" else _hazards.deephit
        return how(logits, events.float(), ends, self.causes)

    def risk(self, logits: Tensor) -> Tensor:
        """Return one log hazard of logits `(…, width)`."""
        return _hazards.summed_risk(
            logits, kind=self.kind, causes=self.causes, shares=self.shares, upto=self.upto
        )


class Waits:
    """What all such models share: their events, their arms, and a straight line of the covariates."""

    outputs: tuple[Outputs, ...]
    arms: int
    arm_columns: int

    def split(self, batch: Batch) -> tuple[Batch, Tensor | None]:
        """Return a batch without the columns of the arm, and these `(B, A)`; None where there is one arm."""
        if not self.arm_columns or batch.covariates is None:
            return batch, None
        rest = batch.covariates[:, : -self.arm_columns]
        given = batch.covariates[:, -self.arm_columns :][:, : self.arms].nan_to_num(0.0)
        return replace(batch, covariates=rest if rest.shape[1] else None), given

    def said(self, flat: Tensor, given: Tensor | None) -> Tensor:
        """Return the raw answer from a net's outputs `(B, A·W)`: those of the first arm, and what others differ."""
        wide = sum(one.width for one in self.outputs)
        each = flat.reshape(flat.shape[0], self.arms, wide)
        logits = torch.cat([each[:, :1], each[:, :1] + each[:, 1:]], dim=1)
        risks = torch.stack(
            [one.risk(part) for one, part in zip(self.outputs, self.parts(logits), strict=True)], dim=-1
        )
        known = flat.new_zeros(flat.shape[0], self.arms) if given is None else given.to(flat.dtype)
        return torch.cat([known[..., None], risks, logits], dim=-1)

    def parts(self, logits: Tensor) -> Sequence[Tensor]:
        """Return the logits of each event."""
        return torch.split(logits, [one.width for one in self.outputs], dim=-1)


class Survivor(Waits, Regressor):
    """An encoder of images or of several sources, and covariates beside it or among them.

    Where covariates are among the sources, a straight line through them stands beside what the net says.
    """

    def __init__(
        self, net: Any, covariates: int, outputs: Sequence[Outputs], *, arms: int, arm_columns: int, line: int
    ) -> None:
        Regressor.__init__(
            self, net, covariates, nn.Identity(), numbers=arms * sum(one.width for one in outputs)
        )
        self.outputs, self.arms, self.arm_columns = tuple(outputs), arms, arm_columns
        self.straight = None
        if line:
            self.straight = nn.Linear(line, self.numbers, bias=False)
            nn.init.zeros_(self.straight.weight)

    def forward(self, x: Tensor | Batch, covariates: Tensor | None) -> Tensor:
        """Return the outputs `(B, A·W)`."""
        flat = Regressor.forward(self, x, covariates)
        if self.straight is None or not isinstance(x, Batch) or x.covariates is None:
            return flat
        there = x.present.get("covariates")
        seen = x.covariates.nan_to_num(0.0)
        seen = seen if there is None else seen * there.to(seen.dtype)[:, None]
        added: Tensor = self.straight(seen)
        return flat + added


class TableSurvivor(Waits, TableRegressor):
    """A net of a table's columns alone."""

    def __init__(self, net: Any, outputs: Sequence[Outputs], *, arms: int, arm_columns: int) -> None:
        TableRegressor.__init__(self, net, nn.Identity(), numbers=arms * sum(one.width for one in outputs))
        self.outputs, self.arms, self.arm_columns = tuple(outputs), arms, arm_columns


class LineSurvivor(Waits, nn.Module):
    """A straight line through a table's columns: a linear Cox model, trained as the others are."""

    net: None = None

    def __init__(self, covariates: int, outputs: Sequence[Outputs], *, arms: int, arm_columns: int) -> None:
        nn.Module.__init__(self)
        self.outputs, self.arms, self.arm_columns = tuple(outputs), arms, arm_columns
        self.head = nn.Linear(covariates, arms * sum(one.width for one in outputs))
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Any, covariates: Tensor | None) -> Tensor:
        """Return the outputs `(B, A·W)`."""
        flat: Tensor = STEEP * self.head(covariates)
        return flat


def given_logits(raw: Tensor, events: int) -> tuple[Tensor, Tensor]:
    """Return of raw answers the logits under the arm that each case had `(B, W)`, and of which cases that is known."""
    logits = raw[..., 1 + events :]
    if raw.shape[1] == 1:
        return logits[:, 0], torch.ones(len(raw), dtype=torch.bool, device=raw.device)
    given = raw[..., 0]
    arm = given.argmax(dim=1)
    return logits[torch.arange(len(raw), device=raw.device), arm], given.sum(dim=1) > 0


def asked_at_once(task: Task, model: nn.Module, examples: Sequence[Example]) -> Array:
    """Return the raw answers of a model about examples, `(N, A, 1 + E + W)`; some cases at a time."""
    device, found = next(model.parameters()).device, []
    with torch.inference_mode():
        for k in range(0, len(examples), AT_ONCE):
            batch = task.collate(examples[k : k + AT_ONCE]).to(device)
            raw = task.infer(model, batch, torch.Generator().manual_seed(0))
            found.append(raw.float().cpu().numpy())
    return np.concatenate(found)
