"""Something to learn in milliseconds: eight pictures, bright or dark, and a plan for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.bundle import State
from vesalius.core.plan import (
    AugmentPlan,
    DataPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
    override,
)
from vesalius.core.progress import Silent
from vesalius.learn import loop
from vesalius.prepare.batch import Example
from vesalius.tasks import contract as tasks

STATE = State(
    {
        "target": "t",
        "kind": "exclusive",
        "share": [0.5, 0.5],
        "labels": [{"value": k, "name": n} for k, n in enumerate("ab")],
    }
)
PLAN = Plan(
    task=TaskPlan(name="classify", target="t"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 16, 16), normalise=(Normalisation(method="zscore"),)
    ),
    augment=AugmentPlan(flip_axes=("x",), noise=0.2, rotate_deg=10, mixup=0.2),
    net=NetPlan(name="resnet-10", scale=0.125, dropout=0.2),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=12, batch=4, validations=4, ema=0.9),
)


@dataclass(frozen=True)
class Bench:
    """One member's training with everything at hand."""

    folder: Path
    examples: tuple[Example, ...]
    plan: Plan = PLAN

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoints" / "member-0.pt"

    def train(self, settings: dict[str, Any] | None = None, **how: Any) -> loop.Trained:
        given = {"validate": None, "member": 0, "folder": self.folder, "progress": Silent()} | how
        plan = override(self.plan, settings or {})
        return loop.train(tasks.get("classify"), plan, STATE, self.examples, **given)
