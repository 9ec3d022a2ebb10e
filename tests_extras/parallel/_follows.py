"""One process of a small training: `python _follows.py OUT RECIPE NORM`, started by a launcher's words or alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

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
)
from vesalius.core.progress import Silent
from vesalius.learn import loop
from vesalius.learn.parallel import calls, crew
from vesalius.prepare.batch import Example
from vesalius.tasks import contract as tasks

LABELS = [{"value": k, "name": n} for k, n in enumerate("ab")]
STATE = State({"target": "t", "kind": "exclusive", "share": [0.5, 0.5], "labels": LABELS})


def plan(recipe: str, norm: str) -> Plan:
    """Return a plan that draws all that may be drawn: dropout, noise, mixed and turned pictures."""
    return Plan(
        task=TaskPlan(name="classify", target="t"),
        data=DataPlan(
            dims=2,
            channels=1,
            sampling="whole",
            size=(1, 16, 16),
            normalise=(Normalisation(method="zscore"),),
        ),
        augment=AugmentPlan(flip_axes=("x",), noise=0.2, rotate_deg=10, mixup=0.2),
        net=NetPlan(name="resnet-10", scale=0.125, dropout=0.2, options={"norm": norm}),
        loss=LossPlan(name="cross_entropy"),
        train=TrainPlan(steps=20, batch=5, validations=20, recipe=recipe, optimizer="sgd", lr=0.001),
    )


def examples() -> list[Example]:
    """Return eight pictures, bright or dark."""
    rng = np.random.default_rng(0)
    return [
        Example(
            f"case-{k}",
            {"image": rng.normal(2 * (k % 2) - 1, 1, size=(1, 1, 16, 16)).astype(np.float32)},
            {"label": np.eye(2, dtype=np.float32)[k % 2]},
        )
        for k in range(8)
    ]


def main(out: Path, recipe: str, norm: str) -> None:
    """Train, and write the losses and a sum of the weights where this process leads."""
    torch.set_num_threads(1)
    own = crew.joined() or crew.current()
    if not own.leads:
        loop.follow(own)
        return
    found = loop.train(
        tasks.get("classify"),
        plan(recipe, norm),
        STATE,
        examples(),
        lambda model: 0.0,
        member=0,
        folder=out,
        progress=Silent(),
        unlabelled=("case-6", "case-7") if recipe != "supervised" else (),
    )
    calls.over(own)
    weights = {name: float(w.double().abs().sum()) for name, w in found.weights.items()}
    said = {"losses": [row["loss"] for row in found.history], "weights": weights}
    (out / "said.json").write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
    crew.left()
