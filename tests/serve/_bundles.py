"""Tiny bundles that were never trained: what a service does with an answer does not hang on how good it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from vesalius import nets
from vesalius.core.bundle import Bundle, Stage, State, save_bundle
from vesalius.core.learned import Learned
from vesalius.core.plan import (
    DataPlan,
    InferPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
)
from vesalius.core.scorecard import Scorecard, as_json
from vesalius.tasks import contract as tasks

NAMES = ("healthy", "lesion")
GRADES = ("none", "mild", "moderate", "severe")
ORGANS = ((1, "liver", "#aa4411"), (7, "spleen", None))


def scored(bundle: Bundle, card: Scorecard, *, of: str | None = None) -> Bundle:
    """The bundle with a scorecard sealed into it as `fit` does: measured on it, or on the bundle of another hash."""
    text = as_json(replace(card, bundle=of or bundle.hash))
    return save_bundle(
        bundle.path,
        bundle.stages,
        data_hash=bundle.data_hash,
        made_by=bundle.made_by,
        learned=bundle.learned,
        texts={"scorecard.json": text, "card.md": "A card.\n"},
    )


def classifier(folder: Path, learned: Learned | None = None) -> Bundle:
    """Two classes of a picture of 32 pixels, calibrated, with an operating point."""
    values = {
        "target": "class",
        "kind": "exclusive",
        "share": [0.5, 0.5],
        "labels": [{"value": k, "name": n} for k, n in enumerate(NAMES)],
    }
    calibration = {"temperature": 1.5, "positive": "lesion", "thresholds": {"lesion": 0.25}}
    return sealed(
        folder, "classify", "resnet-18", State(values), calibration, dims=2, size=(1, 32, 32), learned=learned
    )


def grader(folder: Path, *, at: float = 0.6) -> Bundle:
    """Four grades of a picture of 32 pixels, calibrated, with a promised range."""
    values = {
        "target": "severity",
        "kind": "ordinal",
        "share": [0.4, 0.3, 0.2, 0.1],
        "labels": [{"value": k, "name": n} for k, n in enumerate(GRADES)],
        "decision": "median",
        "covariates": {},
    }
    pooled = {"n": {"": 120}, "at": {"": at}}
    promise = {"coverage": 0.9, "way": "lac", "by": None, "pooled": pooled, "groups": {}, "few": {}, "on": {}}
    calibration = {"temperature": 1.5, "thresholds": {}, "promise": promise}
    return sealed(folder, "grade", "resnet-18", State(values), calibration, dims=2, size=(1, 32, 32))


def segmenter(folder: Path, *, dims: int = 3, learned: Learned | None = None) -> Bundle:
    """Two labels of a volume, or of a picture."""
    rows = [{"value": v, "name": n, "code": None, "colour": c} for v, n, c in ORGANS]
    values = {"target": "mask", "share": [0.8, 0.1, 0.1], "labels": rows}
    size = (8, 16, 16) if dims == 3 else (1, 128, 128)
    return sealed(folder, "segment", "unet", State(values), {}, dims=dims, size=size, learned=learned)


def clicker(folder: Path) -> Bundle:
    """One object of a volume, shown by strokes."""
    rows = [{"value": v, "name": n, "code": None, "colour": c} for v, n, c in ORGANS]
    values = {"target": "mask", "share": [0.8, 0.1, 0.1], "labels": rows, "held_out": [], "clicks": 5}
    return sealed(folder, "interact", "unet", State(values), {}, dims=3, size=(8, 16, 16))


def sealed(
    folder: Path,
    task: str,
    net: str,
    state: State,
    calibration: dict[str, Any],
    *,
    dims: int,
    size: Any,
    learned: Learned | None = None,
    imageless: bool = False,
) -> Bundle:
    """A bundle of one stage with the weights that a task's model begins with."""
    folder.mkdir(parents=True)
    whole = task in ("classify", "grade", "regress")
    loss = "smooth_l1" if task == "regress" else "cross_entropy" if whole else "dice-ce"
    plan = Plan(
        task=TaskPlan(name=task, target=state.values["target"]),
        data=DataPlan(
            dims=dims,
            channels=1,
            sampling="whole" if whole else "patches",
            size=size,
            normalise=(Normalisation(method="zscore"),),
        ),
        net=NetPlan(name=net, scale=0.125),
        loss=LossPlan(name=loss),
        fingerprint={"imageless": True} if imageless else {},
        train=TrainPlan(steps=1, batch=1),
        infer=InferPlan(batch=8 if whole else 1),
    )
    torch.manual_seed(5)
    model = tasks.get(task).build(plan, state, nets)
    save_file(model.state_dict(), folder / "weights-0-0.safetensors")
    stage = Stage(task, plan, state, ("weights-0-0.safetensors",), calibration=calibration)
    return save_bundle(folder, (stage,), data_hash="d" * 64, made_by="a test", learned=learned)
