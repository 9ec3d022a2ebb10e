"""A tiny trained model as ways are given it: two members, each of which learned from one half of sixteen pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vesalius.compress.contract import Member, Model, Source
from vesalius.core.bundle import Bundle, State
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
from vesalius.learn.loop import train
from vesalius.learn.stepper import build
from vesalius.prepare.batch import Example
from vesalius.tasks import contract as tasks

CASES, SIDE = 16, 16
STATES = {
    "classify": State(
        {
            "target": "t",
            "kind": "exclusive",
            "share": [0.5, 0.5],
            "labels": [{"value": k, "name": n} for k, n in enumerate("ab")],
        }
    ),
    "segment": State(
        {
            "target": "t",
            "share": [0.7, 0.3],
            "labels": [{"value": 1, "name": "a", "code": None, "colour": None, "shown": None}],
        }
    ),
}
PLAN = Plan(
    task=TaskPlan(name="classify", target="t"),
    data=DataPlan(
        dims=2,
        channels=1,
        sampling="whole",
        size=(1, SIDE, SIDE),
        normalise=(Normalisation(method="zscore"),),
    ),
    augment=AugmentPlan(flip_axes=("x",), noise=0.2),
    net=NetPlan(name="resnet-10", scale=0.25, options={"stem": "small"}),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=16, batch=4, lr=3e-3),
)
MASKS = {"task.name": "segment", "net.name": "unet", "net.options": {}, "loss.name": "dice-ce"}


def pictures(task: str) -> list[Example]:
    """Bright and dark pictures with their class, or with where they are bright as a mask."""
    rng, found = np.random.default_rng(0), []
    for k in range(CASES):
        image = rng.normal(2 * (k % 2) - 1, 1, size=(1, 1, SIDE, SIDE)).astype(np.float32)
        if task == "segment":
            targets = {"mask": (image > 0).astype(np.int16)}
            found.append(Example(f"case-{k:02d}", {"image": image}, targets, on_grid=frozenset({"mask"})))
        else:
            found.append(
                Example(f"case-{k:02d}", {"image": image}, {"label": np.eye(2, dtype=np.float32)[k % 2]})
            )
    return found


def source_of(folder: Path, settings: dict[str, Any] | None = None, *, members: int = 2) -> Source:
    """A source whose member k never saw the k-th half of the cases."""
    plan = override(PLAN, settings or {})
    task, state, examples = tasks.get(plan.task.name), STATES[plan.task.name], pictures(plan.task.name)
    halves = [[e.case_id for e in examples if int(e.case_id[-2:]) // 2 % 2 == k] for k in range(2)]
    learned = {k: [e.case_id for e in examples if e.case_id not in halves[k]] for k in range(members)}
    made = []
    for k in range(members):
        own = [e for e in examples if e.case_id in learned[k]]
        result = train(task, plan, state, own, None, member=k, folder=folder, progress=Silent())
        model = build(task, plan, state, k)
        model.load_state_dict(result.weights)
        made.append(Member(k, model.eval()))
    bundle = Bundle(folder, (), "", "", "")
    return Source(bundle, task, Model(plan, state, tuple(made)), {e.case_id: e for e in examples}, learned)


def with_unlabelled(source: Source, ids: Sequence[str]) -> Source:
    """The same, and further cases without their targets."""
    more = {i: replace(e, case_id=i, targets={}) for i, e in zip(ids, source.examples.values(), strict=False)}
    return replace(source, examples={**source.examples, **more}, unlabelled_ids=tuple(ids))


def asked(source: Source, model: nn.Module) -> Tensor:
    """What a model says of all cases."""
    batch = source.task.collate([e for i, e in source.examples.items() if i.startswith("case")])
    with torch.no_grad():
        return source.task.infer(model.eval(), batch, torch.Generator().manual_seed(0))


def operations(source: Source, model: nn.Module) -> int:
    """Multiplications of one pass, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        asked(source, model)
    return int(counter.get_total_flops()) // 2
