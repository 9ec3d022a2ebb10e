"""The memory of `vesalius predict` on a large volume, of fourteen labels and of boxes; its time beside the forward."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._figures import Figure, at_most
from benchmarks._memory import predict
from vesalius import formats, nets
from vesalius.core.bundle import Stage, State, save_bundle
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.image import Image
from vesalius.core.plan import USER, Plan, override
from vesalius.infer import tiles
from vesalius.phantom.ct import patient
from vesalius.plan import machine as machines
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.rules import draft_plan
from vesalius.plan.things import ThingPrint
from vesalius.prepare.geometry import resample
from vesalius.tasks import contract as tasks

SECTION = "Memory"
SOAK = False
SEEDS = (0,)
SHAPE = (400, 512, 512)
SMALL = (100, 128, 128)
SPACING = 0.8
LABELS = 14
NAMES = tuple(f"organ {k}" for k in range(1, LABELS + 1))
LESION = (5.0, 8.0, 12.0)  # voxels along the side of small, usual and large ones
BOXES = TargetInfo("boxes", "boxes", (Label(1, "lesion"),), "the only one")
WIDTHS = {"default": 1.0, "a quarter its width": 0.25}
BOUND_GIB = 3.0
BOUND_TIME = 1.15


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """The default 3-D U-Net, one of a quarter its width, and the detector, untrained. Quick: 128 × 128 × 100."""
    torch.set_num_threads(machines.measure().cores)
    shape = SMALL if quick else SHAPE
    volume = folder / "volume.nii.gz"
    _make_volume(volume, shape, seeds[0])
    size = " × ".join(str(n) for n in reversed(shape))
    rows: list[Figure] = []
    for name, scale in WIDTHS.items():
        plan = _plan(shape, scale)
        bundle = _bundle(folder / f"bundle-{scale:g}", plan, seeds[0], _target())
        first, n = _forward(plan, volume, seeds[0], half=0)
        found = predict(bundle, volume, folder / f"answers-{scale:g}")
        second, m = _forward(plan, volume, seeds[0], half=1)
        _check(folder / f"answers-{scale:g}", shape)
        bare = first + second
        what = f"{name}, {size}, {LABELS} labels"
        about = f"{plan.net.name}, patch {plan.data.size}, {plan.train.precision}, {n + m} tiles"
        rows.append(at_most(f"VmHWM, {what}", found.peak_gib, BOUND_GIB, unit=" GiB", digits=2, note=about))
        note = f"{found.wall_s:.1f} s against {bare:.1f} s, half of them before and half after"
        ratio = found.wall_s / bare
        said = f"predict / the same tiles through model.forward, {name}"
        if scale == 1.0:
            rows.append(at_most(said, ratio, BOUND_TIME, note=note))
        else:
            rows.append(Figure(said, f"{ratio:.3f}", note=note))
    return [*rows, _boxes(folder, volume, shape, seeds[0])]


def _boxes(folder: Path, volume: Path, shape: tuple[int, int, int], seed: int) -> Figure:
    """Return the memory of the default detector, whose tiles leave only their best boxes behind."""
    things = ThingPrint({"lesion": LESION}, (LESION[1],) * 3, 4.0, 12)
    plan = draft_plan(tasks.get("detect"), BOXES, replace(_prints(shape), things=things), machines.measure())
    bundle = _bundle(folder / "bundle-boxes", plan, seed, BOXES)
    found = predict(bundle, volume, folder / "answers-boxes")
    listed = sorted(p.name for p in (folder / "answers-boxes").iterdir())
    if "boxes.csv" not in listed:
        raise RuntimeError(f"predict wrote no boxes: {json.dumps(listed)}")
    size = " × ".join(str(n) for n in reversed(shape))
    note = f"{plan.net.name}, tiles of {plan.data.size}, overlap {plan.infer.overlap:g}, {found.wall_s:.0f} s"
    return at_most(f"VmHWM, boxes, {size}", found.peak_gib, BOUND_GIB, unit=" GiB", digits=2, note=note)


def _make_volume(path: Path, shape: tuple[int, int, int], seed: int) -> None:
    """A phantom stretched to `shape` with noise of its own, int16, at isotropic spacing, as `.nii.gz`."""
    study = patient(0, seed, size="small")
    array = resample(study.image[None], shape)[0]
    noise = np.random.default_rng(seed)
    out = np.empty(shape, np.int16)
    for z in range(shape[0]):
        out[z] = np.rint(array[z] + noise.normal(0, 10, shape[1:]))
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    formats.write(Image(out[None], affine=affine), path)


def _prints(shape: tuple[int, int, int]) -> Fingerprint:
    """What a cohort of such volumes is like."""
    return Fingerprint(
        cases=100, patients=100, images=("image",), channels=1, grey=True, flat=False,
        shape_median=shape, shape_max=shape, spacing_median=(SPACING,) * 3, spacing_known=True,
        unit=None, bits=None, low=-1000.0, high=1000.0, mean=0.0, sd=300.0, inside=False,
        classes={}, voxels=dict.fromkeys(NAMES, 0.01), labels=NAMES, sided=False,
    )  # fmt: skip


def _plan(shape: tuple[int, int, int], scale: float) -> Plan:
    """What the rules plan for a cohort of such volumes on this machine."""
    plan = draft_plan(tasks.get("segment"), _target(), _prints(shape), machines.measure())
    return plan if scale == 1.0 else override(plan, {"net.scale": plan.net.scale * scale}, reason=USER)


def _target() -> TargetInfo:
    labels = tuple(Label(k, name) for k, name in enumerate(NAMES, start=1))
    return TargetInfo("mask", "mask", labels, "the only one")


def _state(plan: Plan, target: TargetInfo) -> State:
    """What the task itself would learn of such targets without looking at any."""
    return tasks.get(plan.task.name).learned([], target, plan)


def _model(plan: Plan, seed: int, target: TargetInfo) -> Any:
    torch.manual_seed(seed)
    return tasks.get(plan.task.name).build(plan, _state(plan, target), nets).eval()


def _bundle(path: Path, plan: Plan, seed: int, target: TargetInfo) -> Path:
    """A bundle with untrained weights drawn from the seed."""
    from safetensors.torch import save_file

    path.mkdir()
    weights = {name: tensor.contiguous() for name, tensor in _model(plan, seed, target).state_dict().items()}
    save_file(weights, path / "weights-0-0.safetensors")
    stage = Stage(plan.task.name, plan, _state(plan, target), ("weights-0-0.safetensors",))
    save_bundle(path, (stage,), data_hash="0" * 64, made_by="benchmarks")
    return path


def _forward(plan: Plan, volume: Path, seed: int, *, half: int) -> tuple[float, int]:
    """Seconds that every second tile takes through `model.forward` alone, and how many those are."""
    array = formats.read(volume).array.astype(np.float32)
    array = (array - array.mean()) / array.std()
    model = _model(plan, seed, _target())
    size = plan.data.size
    places = [tiles.starts(n, t, plan.infer.overlap) for n, t in zip(array.shape[1:], size, strict=True)]
    chosen = list(itertools.product(*places))[half::2]
    total = 0.0
    fast = torch.autocast("cpu", dtype=torch.bfloat16) if plan.train.precision == "bf16" else nullcontext()
    with torch.inference_mode(), fast:
        for k in range(0, len(chosen), plan.infer.batch):
            cut = [
                array[(slice(None), *(slice(a, a + s) for a, s in zip(at, size, strict=True)))]
                for at in chosen[k : k + plan.infer.batch]
            ]
            batch = torch.from_numpy(np.stack(cut))
            began = time.perf_counter()
            model(batch)
            total += time.perf_counter() - began
    return total, len(chosen)


def _check(out: Path, shape: tuple[int, int, int]) -> None:
    """The answer is there, on the volume's grid, and not of one label alone."""
    listed = sorted(p.name for p in out.iterdir())
    masks = [name for name in listed if name.endswith(".nii.gz")]
    if not masks:
        raise RuntimeError(f"predict wrote no mask: {json.dumps(listed)}")
    mask = formats.read(out / masks[0])
    if mask.shape != shape or int(mask.array.max()) > LABELS or mask.array.min() == mask.array.max():
        raise RuntimeError(
            f"predict wrote another mask than expected: {mask.shape}, up to {mask.array.max()}"
        )
