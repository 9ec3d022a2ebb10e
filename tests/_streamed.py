"""Tiny causal bundles of cines, never trained, whose weights say something of every frame and of every time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from vesalius import nets
from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.image import Image
from vesalius.core.learned import Learned
from vesalius.core.plan import Plan, parse_plan
from vesalius.tasks import contract as tasks

SIZE = (20, 24)
LABELS = tuple(Label(k, name) for k, name in enumerate(("up", "down")))
PROMISE = {
    "coverage": 0.9, "way": "lac", "by": None, "pooled": {"n": {"": 120}, "at": {"": 0.45}}, "groups": {}, "few": {},
    "on": {},
}  # fmt: skip
CALIBRATION = {"temperature": 0.4, "positive": "down", "thresholds": {"down": 0.25}, "promise": PROMISE}


def cine(frames: int, *, seed: int = 0, times_s: tuple[float, ...] | None = None, first: int = 0) -> Image:
    """A cine of noise whose frames get brighter, at uneven times; one that is longer begins with the same frames."""
    draw = [np.random.default_rng((seed, k)) for k in range(first, first + frames)]
    pixels = [
        g.integers(0, 150, (1, 1, *SIZE), np.uint8) + np.uint8(8 * (k % 12))
        for k, g in enumerate(draw, first)
    ]
    gaps = [float(np.random.default_rng((seed, k, 1)).exponential(0.2)) for k in range(first + frames)]
    times = tuple(float(t) for t in np.cumsum(gaps)[first:])
    return Image(np.stack(pixels), spacing_mm=(0.5, 0.5, 1.0), times_s=times_s or times)


def frames_of(image: Image, low: int, high: int) -> Image:
    """Some frames of a cine."""
    assert image.times_s is not None
    return Image(image.array[low:high], spacing_mm=image.spacing_mm, times_s=image.times_s[low:high])


def streamed(
    folder: Path,
    *,
    time: str | None = "gru",
    task: str = "classify",
    members: int = 2,
    settings: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    learned: Learned | None = None,
    cases: list[Case] | None = None,
) -> Bundle:
    """A bundle of `members`, whose further planned values are `settings` by path."""
    plan = planned(task, time, settings or {})
    if cases is None:
        cases = [Case(str(k), {"image": cine(2)}, targets={"y": LABELS[k % 2].name if task == "classify" else k / 3.0})
                 for k in range(4)]  # fmt: skip
    target = TargetInfo("y", "class", LABELS) if task == "classify" else TargetInfo("y", "number")
    asked = tasks.get(task)
    state = asked.learned(cases, target, plan)
    folder.mkdir(parents=True)
    names = [f"weights-0-{k}.safetensors" for k in range(members)]
    for k, name in enumerate(names):
        torch.manual_seed(k)
        model = asked.build(plan, state, nets)
        with torch.no_grad():  # also what begins at nothing says something
            for p in model.parameters():
                p.add_(torch.randn(p.shape) * 0.05)
        save_file(model.state_dict(), folder / name)
    stage = Stage(task, plan, state, tuple(names), calibration=dict(calibration or {}))
    return save_bundle(folder, (stage,), data_hash="d" * 64, made_by="a test", learned=learned)


def planned(task: str, time: str | None, settings: Mapping[str, Any]) -> Plan:
    """The plan of a causal model of frames; `settings` win."""
    values: dict[str, Any] = {
        "task": {"name": task, "target": "y"},
        "data": {
            "dims": 2, "channels": 1, "sampling": "whole", "size": (1, 16, 16),
            "normalise": ({"method": "fixed", "low": 0.0, "high": 255.0, "mean": 100.0, "sd": 60.0},),
        },
        "sources": {"frames": 4, "causal": True, "fusion": "attention"},
        "net": {"name": "resnet-10", "scale": 0.125},
        "loss": {"name": "cross_entropy" if task == "classify" else "smooth_l1"},
        "train": {"steps": 1, "batch": 1, "members": 2},
        "infer": {"batch": 4},
        "nets": {} if time is None else {"time": {"name": time, "scale": 0.25}},
        "fingerprint": {"times": {"cases": 4, "frames": 8, "frames_max": 8, "interval_s": 0.2}},
        "reasons": {},
    }  # fmt: skip
    for path, value in settings.items():
        *parents, leaf = path.split(".")
        node = values
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return parse_plan(values)
