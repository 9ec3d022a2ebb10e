"""One of two processes that train a net together: what tests of sharing call in processes of their own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vesalius.core.bundle import State
from vesalius.core.errors import PlanError
from vesalius.core.plan import (
    AugmentPlan,
    DataPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    PhasePlan,
    Plan,
    TaskPlan,
    TrainPlan,
    override,
)
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Member
from vesalius.learn.stepper import fabric_for
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
VIT = Plan(
    task=TaskPlan(name="classify", target="t"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 16, 16), normalise=(Normalisation(method="zscore"),)
    ),
    augment=AugmentPlan(probability=0.0),
    net=NetPlan(name="vit-small", scale=0.125, dropout=0.2, options={"patch": 4}),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=20, batch=4, validations=4, ema=0.9, clip_norm=0.5),
)
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "full": {"train.shard": "full"},
    "thrifty": {"train.shard": "full", "train.recompute": True, "train.accumulate": 2, "net.dropout": 0.0},
    "undropped": {"net.dropout": 0.0},
    "tensor": {"train.shard": "tensor"},
    "frozen": {
        "train.phases": [PhasePlan(share=0.5, frozen=("encoder",)), PhasePlan(share=0.5)],
    },
    "frozen-full": {
        "train.shard": "full",
        "train.phases": [PhasePlan(share=0.5, frozen=("encoder",)), PhasePlan(share=0.5)],
    },
    "uneven": {"train.shard": "tensor", "net.name": "vit-tiny"},
    "net": {"train.shard": "tensor", "net.name": "resnet-10", "net.options": {}},
    "recipe": {"train.shard": "full", "train.recipe": "sparse"},
    "lora": {"train.lora": 2, "net.dropout": 0.0},
    "lora-full": {"train.lora": 2, "train.shard": "full", "net.dropout": 0.0},
}


def examples() -> list[Example]:
    rng = np.random.default_rng(0)
    return [
        Example(
            f"case-{k}",
            {"image": rng.normal(2 * (k % 2) - 1, 1, size=(1, 1, 16, 16)).astype(np.float32)},
            {"label": np.eye(2, dtype=np.float32)[k % 2]},
        )
        for k in range(8)
    ]


def trained(
    case: str, *, saved: Checkpoint | None = None, until: int | None = None
) -> tuple[list[float], dict[str, torch.Tensor], Checkpoint]:
    """The losses of the steps, the weights that would answer, and the checkpoint, on every process."""
    plan = override(VIT, CASES[case])
    until = until or (20 if case in ("plain", "full", "tensor") else 4)
    recipe = recipes.begin(
        Member(tasks.get("classify"), plan, STATE, examples(), 0, fabric_for(plan, "cpu"), steps=20)
    )
    begin = 0
    if saved is not None:
        recipe.restore(saved)
        begin = saved.step
    losses, phase = [], -1
    for step in range(begin, until):
        if plan.train.phases and (now := int(step >= 2)) != phase:
            phase = now
            recipe.enter(plan.train.phases[now])
        losses.append(float(recipe.step(step, plan.train.lr)))
    kept = Checkpoint(step=until)
    recipe.keep(kept)
    weights = recipe.weights()
    with recipe.answering() as model:
        if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
            asked = model.state_dict()
            assert asked.keys() != weights.keys() or all(torch.equal(v, weights[k]) for k, v in asked.items())
    return losses, weights, kept


def main(rank: int, port: int, folder: Path, cases: list[str]) -> None:
    """Train each case together with the other process; what was found is left in `folder` by the first."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    found: dict[str, Any] = {}
    for case in cases:
        name, _, how = case.partition("@")
        if how == "resumed":  # what one process began, and what two began, two go on with
            for begun in ("plain-half", f"{name}-half"):
                saved = Checkpoint(**torch.load(folder / f"{begun}.ckpt", weights_only=True))
                found[f"{name} of {begun}"] = trained(name, saved=saved)[:2]
        elif how == "half":
            kept = trained(name, until=10)[2]
            if rank == 0:
                torch.save(vars(kept), folder / f"{name}-half.ckpt")
            torch.distributed.barrier()
        elif how == "refused":
            try:
                trained(name, until=1)
            except PlanError as error:
                found[case] = str(error)
        else:
            found[case] = trained(case)[:2]
    if rank == 0:
        torch.save(found, folder / "found.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4].split(","))
