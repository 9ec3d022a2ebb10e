"""One process of small trainings by every recipe, shared and alone: `python _recipes.py OUT`, started by torchrun."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _follows import STATE, examples, plan
from torch import Tensor

from vesalius.core import registry
from vesalius.core.bundle import State
from vesalius.core.errors import VesaliusError
from vesalius.core.plan import Plan, override
from vesalius.learn.parallel import crew as crews
from vesalius.learn.parallel.crew import Crew
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Member
from vesalius.learn.stepper import build, fabric_for
from vesalius.prepare.batch import Example
from vesalius.tasks import contract as tasks

STEPS, LR = 2, 1e-3
LACKING = frozenset({"case-6", "case-7"})
VIT = {"net.name": "vit-tiny", "net.scale": 0.125, "net.options": {"patch": 4}}
UNET = {"net.name": "unet", "net.scale": 0.125, "net.options": {}}
LESS = {"train.recompute": True, "train.accumulate": 2, "net.dropout": 0.0}
OPTIONS = {"episodes": {"shots": 2, "queries": 1}}
ALSO: Mapping[str, list[dict[str, Any]]] = {  # what a recipe is tried with beside its first words
    "supervised": [VIT | LESS, VIT | LESS | {"train.shard": "full"}],
    "mae": [VIT, UNET],
    "distil": [{"train.recipe_options": {"features": 1.0}}],
    "simclr": [VIT | {"train.recompute": True}],
    "rounded": [VIT | {"train.recompute": True, "net.dropout": 0.0}],
}
NORMAL = State(
    {"cases": 8, "labels": [{"value": k, "name": n} for k, n in enumerate(("normal", "abnormal"))]}
)


def settings_of(recipe: str) -> Iterator[dict[str, Any]]:
    """Yield what a recipe is tried with. Nothing is clipped: a gradient that is twice what it should be must show."""
    kinds = {c.__name__ for c in recipes.get(recipe).__mro__}
    first: dict[str, Any] = {"train.recipe": recipe, "train.recipe_options": OPTIONS.get(recipe, {})}
    first["train.clip_norm"] = None
    own = {"task.target": None, "loss.name": "own", "augment.mixup": 0.0, "net.dropout": 0.0}
    if "Pretext" in kinds:
        first |= {"task.name": "represent", **own}
    if recipe in registry.names("anomalies"):
        first |= {"task.name": "anomaly", "data.size": [1, 32, 32], **own}
    if recipe == "restore":
        first |= UNET
    yield first
    for more in ALSO.get(recipe, []):
        yield first | more


def member(settings: Mapping[str, Any]) -> Member:
    """Return what a recipe is given: eight cases, of which two lack the target where it learns from such."""
    chosen: Plan = override(plan("supervised", "batch"), dict(settings))
    task, kind, side = tasks.get(chosen.task.name), recipes.get(chosen.train.recipe), chosen.data.size[-1]
    state = {"classify": STATE, "anomaly": NORMAL}.get(task.name, State({"images": ["image"]}))
    lacking = LACKING if kind.unlabelled else frozenset()
    rng = np.random.default_rng(1)
    given = [
        replace(e, patient=e.case_id, targets={} if e.case_id in lacking else e.targets) for e in examples()
    ]
    if task.name != "classify":
        images = rng.normal(0, 1, (len(given), 1, 1, side, side)).astype(np.float32)
        more = {"normal": np.ones(1, np.float32)} if task.name == "anomaly" else {}
        given = [
            Example(e.case_id, {"image": x}, more, patient=e.case_id)
            for e, x in zip(given, images, strict=True)
        ]
    start = dict(build(task, chosen, state, 7).state_dict())
    if kind.__name__ == "Sparse":
        start = {
            k: torch.where(v.abs() < v.abs().median(), 0, v) if v.ndim > 1 else v for k, v in start.items()
        }
    teacher = build(task, override(chosen, {"train.seed": 5}), state, 0).eval() if lacking else None
    fabric = fabric_for(chosen, "cpu")
    return Member(
        task, chosen, state, given, 0, fabric, start, unlabelled=lacking, steps=STEPS, teacher=teacher
    )


def trained(
    settings: Mapping[str, Any], crew: Crew
) -> tuple[list[float], dict[str, Tensor], dict[str, Tensor]]:
    """Return the losses of some steps, and the weights before and after them."""
    crews.adopt(crew)
    given = member(settings)
    recipe = recipes.begin(given)
    losses = []
    for step in range(recipe.steps or STEPS):
        with crew.together():
            losses.append(float(recipe.step(step, LR)))
    return losses, dict(given.start or {}), recipe.weights()


def apart(one: Mapping[str, Tensor], other: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> float:
    """Return how far two models are apart, at most over their tensors, in shares of how far the other one moved."""
    found = [0.0]
    for name, a in one.items():
        if a.is_floating_point() and a.numel():
            moved = float((other[name].double() - start[name].double()).abs().max())
            found.append(float((a.double() - other[name].double()).abs().max()) / max(moved, 1e-4))
    return max(found)


def main(out: Path) -> None:
    """Train by every recipe, with all processes and with one; write the losses and how far the weights are apart."""
    torch.set_num_threads(1)
    own = crews.joined() or Crew()
    rows = []
    wanted = sys.argv[2:] or registry.names(recipes.KIND)
    for name in wanted:
        for settings in settings_of(name):
            said: dict[str, Any] = {"recipe": name, "net": settings.get("net.name", "resnet-10")}
            try:
                shared = trained(settings, own)
                if own.leads:
                    alone = trained(settings | {"train.shard": "none"}, Crew())
                    said |= {"shared": shared[0], "alone": alone[0]}
                    said["weights"] = apart(shared[2], alone[2], alone[1])
            except VesaliusError as error:
                said["refused"] = str(error)
            except Exception:  # noqa: BLE001 - said of this recipe, and the others are tried
                said["fault"] = traceback.format_exc()[-1500:]
            crews.adopt(own)
            own.agree(0)
            rows.append(said)
    if own.leads:
        (out / "said.json").write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    crews.left()
