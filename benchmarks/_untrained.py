"""Untrained bundles of every registered net, on the smallest images that it takes; what they say is not nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from vesalius import nets
from vesalius.core import registry
from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.image import Image
from vesalius.core.learned import Learned
from vesalius.core.plan import Plan, parse_plan
from vesalius.tasks import contract as tasks

LABELS = tuple(Label(k, name) for k, name in enumerate(("up", "down")))
SIDES = {2: 32, 3: 16}
FRAMES = 3
LEFT_OUT = {
    "treelstm": "which nodes it computes together follows from the tree, so that each tree is another program",
    "bert": "its tokens are made by the tokenizer in a bundle, and texts differ in length from case to case",
}  # nets that are not exported, with the reason; at most three


def wanted(*, families: bool) -> Iterator[tuple[str, int]]:
    """Yield each registered net with each of its dimensions; one of each file with `families`."""
    seen: set[str] = set()
    for name in registry.names("nets"):
        stem = name.partition("-")[0]
        if name in LEFT_OUT or (families and stem in seen):
            continue
        seen.add(stem)
        yield from ((name, dims) for dims in nets.describe(name).get("DIMS", (2, 3)))


def bundle_of(name: str, dims: int, folder: Path) -> Bundle:
    """Return a bundle of one untrained member with that net, in a new folder."""
    plan = _plan(name, dims)
    asked = tasks.get(plan.task.name)
    size = tuple(n + (2 if n > 1 and k == 2 else 0) for k, n in enumerate(plan.data.size))
    cases, target = _cases(plan, size)
    state = asked.learned(cases, target, plan)
    torch.manual_seed(len(name) + dims)
    model = asked.build(plan, state, nets)
    with torch.no_grad():
        for parameter in model.parameters():  # what begins at nothing says something, too
            parameter.add_(torch.randn(parameter.shape) * 0.02)
        for buffer_name, buffer in model.named_buffers():
            if buffer_name.endswith("running_var"):
                buffer.mul_(1.3)
            elif buffer_name.endswith("running_mean"):
                buffer.add_(0.05)
    folder.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "weights-0-0.safetensors")
    stage = Stage(plan.task.name, plan, state, ("weights-0-0.safetensors",))
    return save_bundle(
        folder,
        (stage,),
        data_hash="0" * 64,
        made_by="a benchmark",
        learned=None if plan.net.name == "mlp" else _learned(size),
    )


def _learned(size: tuple[int, ...]) -> Learned:
    """Return what images were learned from: of that size, with the values of 8-bit pictures."""
    return Learned(
        cases=2,
        modalities=(None,),
        units=(None,),
        body_parts=(None,),
        flat=size[0] == 1,
        size=tuple((float(n), float(n)) for n in size),  # type: ignore[arg-type]
        spacing_mm=None,
        darkest=(0.0, 10.0),
        brightest=(240.0, 255.0),
        absolute=True,
    )


def _cases(plan: Plan, size: tuple[int, ...]) -> tuple[list[Case], TargetInfo]:
    """Return two made-up cases with the target of a plan."""
    draw = np.random.default_rng(3)
    frames = plan.sources.frames
    cases = []
    for k, label in enumerate(LABELS):
        shape = (frames, 1, *size) if frames else (1, *size)
        image = Image(
            draw.integers(0, 255, shape).astype(np.uint8),
            times_s=tuple(0.1 * t for t in range(frames)) if frames else None,
        )
        beside: dict[str, Any] = {"covariates": {"age": 40.0 + 10 * k}} if plan.net.name == "mlp" else {}
        if plan.task.name == "segment":
            mask = Image((np.arange(size[-1]) > 5).astype(np.uint8) * np.ones((1, *size), np.uint8))
            cases.append(Case(str(k), {"image": image}, targets={"y": mask}))
        elif plan.net.name == "mlp":
            cases.append(Case(str(k), {}, reference=None, targets={"y": float(k)}, **beside))
        else:
            cases.append(Case(str(k), {"image": image}, targets={"y": label.name}))
    if plan.task.name == "segment":
        return cases, TargetInfo("y", "mask", (Label(1, "thing"), Label(2, "other")))
    kind = "number" if plan.net.name == "mlp" else "class"
    return cases, TargetInfo("y", kind, () if kind == "number" else LABELS)


def _plan(name: str, dims: int) -> Plan:
    """Return a plan with that net where it has its place: by itself, or over time behind a small one."""
    text = nets.describe(name)
    role, side = text["ROLE"], SIDES[dims]
    size = text.get("TINY_SIZE", {}).get(dims, (side,) * dims)
    values: dict[str, Any] = {
        "task": {"name": "segment" if role == "dense" else "classify", "target": "y"},
        "data": {
            "dims": dims,
            "channels": 1,
            "sampling": "patches" if role == "dense" else "whole",
            "size": (*(1,) * (3 - dims), *size),
            "normalise": ({"method": "fixed", "low": 0.0, "high": 255.0, "mean": 100.0, "sd": 60.0},),
        },
        "net": {"name": name, "scale": text["SMALLEST"], "options": text.get("TINY", {})},
        "loss": {"name": "dice-ce" if role == "dense" else "cross_entropy"},
        "train": {"steps": 1, "batch": 1},
    }
    if role == "table":
        values["task"] = {"name": "regress", "target": "y", "options": {"covariates": "age"}}
        values["loss"] = {"name": "smooth_l1"}
    if role in ("sequence", "cine"):
        values["sources"] = {"frames": FRAMES, "fusion": "attention"}
        values["fingerprint"] = {"times": {"cases": 2, "frames": 3, "frames_max": 3, "interval_s": 0.1}}
    if role == "sequence":
        values["nets"] = {"time": dict(values["net"])}
        values["net"] = {"name": "resnet-10", "scale": 0.125}
        if text["OVER"][name] == "maps":
            values["sources"]["fusion"] = "beside"
            values["task"]["name"], values["data"]["sampling"] = "segment", "patches"
            values["net"], values["loss"] = {"name": "unet", "scale": 0.125}, {"name": "dice-ce"}
    return parse_plan(values)
