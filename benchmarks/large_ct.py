"""A whole-body CT with 104 labels, answered in a declared memory: what the process holds at most, seen from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks import _record
from benchmarks._figures import Figure, at_most
from benchmarks._memory import high_water_gib
from benchmarks._stretched import SPACING, stretched_ct
from vesalius import formats, nets
from vesalius.core.bundle import Stage, save_bundle
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.plan import USER, override
from vesalius.plan import machine as machines
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.rules import draft_plan
from vesalius.tasks import contract as tasks

SECTION = "Memory"
SOAK = True
SEEDS = (0,)
SHAPE, SMALL = (735, 512, 512), (180, 128, 128)
LABELS = 104
GIB = 2**30
LIMIT = {False: 3.0, True: 1.0}  # GiB, by whether it is quick
CUT = 0.7  # GiB, of the quick one, which makes it blend in columns
SET = {"net.scale": 0.25, "data.size": [96, 96, 96], "infer.overlap": 0.5, "train.precision": "fp32"}
ANSWER = """
import sys
from pathlib import Path
import numpy as np
import torch
torch.set_num_threads(int(sys.argv[5]))
from vesalius import formats
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case, Ref
from vesalius.infer.predictor import Predictor
memory = None if sys.argv[4] == "none" else int(sys.argv[4])
answer = Predictor(open_bundle(Path(sys.argv[1])), memory=memory)(Case("ct", {"image": Ref((Path(sys.argv[2]),))}))
formats.write(answer, Path(sys.argv[3]))
"""


@dataclass(frozen=True)
class Answered:
    """The highest resident memory of a process that answered, and its seconds."""

    peak_gib: float
    wall_s: float


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A narrow U-Net, untrained, whose 96³ tiles overlap by half, at the CT's own spacing. Quick: 128 × 128 × 180."""
    shape = SMALL if quick else SHAPE
    folder.mkdir(parents=True, exist_ok=True)
    volume, bundle = folder / "ct.nii.gz", folder / "bundle"
    stretched_ct(volume, shape, seeds[0])
    plan = _bundle(bundle, shape, seeds[0])
    size = " × ".join(str(n) for n in reversed(shape))
    what = f"{size}, {LABELS} labels"
    about = f"{plan}, {machines.measure().cores} threads"
    limit = LIMIT[quick]
    found = _answered(bundle, volume, folder / "declared.nii.gz", memory=int(limit * GIB))
    _check(folder / "declared.nii.gz", shape)
    rows = [
        at_most(
            f"VmHWM within {limit:g} GiB declared, {what}", found.peak_gib, limit, unit=" GiB", digits=2,
            note=f"{about}; {found.wall_s:.0f} s",
        )
    ]  # fmt: skip
    if quick:
        rows += _beside(folder, bundle, volume, what)
    return rows


def _beside(folder: Path, bundle: Path, volume: Path, what: str) -> list[Figure]:
    """Return what a memory that is not declared, and one that makes for columns, come to; the answers are one."""
    plenty = _answered(bundle, volume, folder / "plenty.nii.gz", memory=None)
    cramped = _answered(bundle, volume, folder / "cramped.nii.gz", memory=int(CUT * GIB))
    one, other = (formats.read(folder / f"{n}.nii.gz").array for n in ("plenty", "cramped"))
    apart = float((one != other).mean())
    return [
        Figure(f"VmHWM without a declared memory, {what}", f"{plenty.peak_gib:.2f} GiB", note=f"{plenty.wall_s:.0f} s"),
        at_most(
            f"VmHWM within {CUT:g} GiB declared, {what}", cramped.peak_gib, CUT, unit=" GiB", digits=2,
            note=f"{cramped.wall_s:.0f} s",
        ),
        at_most("voxels whose label is another", apart, 1e-3, digits=6),
    ]  # fmt: skip


def _answered(bundle: Path, volume: Path, out: Path, *, memory: int | None) -> Answered:
    """Answer in a process of its own, and look at its high-water mark fifty times a second."""
    words = [sys.executable, "-c", ANSWER, str(bundle), str(volume), str(out)]
    words += ["none" if memory is None else str(memory), str(machines.measure().cores)]
    began, peak = time.monotonic(), 0.0
    with subprocess.Popen(words, cwd=_record.ROOT, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            peak = max(peak, high_water_gib(process.pid))
            time.sleep(0.02)
        said = process.stderr.read().decode() if process.stderr else ""
    if process.returncode:
        raise RuntimeError(f"answering ended with {process.returncode}: {said[-2000:]}")
    return Answered(peak, time.monotonic() - began)


def _bundle(path: Path, shape: tuple[int, int, int], seed: int) -> str:
    """Write a bundle with untrained weights drawn from the seed; return in words what net it has."""
    from safetensors.torch import save_file

    names = tuple(f"structure {k}" for k in range(1, LABELS + 1))
    labels = tuple(Label(k, name) for k, name in enumerate(names, start=1))
    target = TargetInfo("mask", "mask", labels, "the only one")
    prints = Fingerprint(
        cases=100, patients=100, images=("image",), channels=1, grey=True, flat=False,
        shape_median=shape, shape_max=shape, spacing_median=(SPACING,) * 3, spacing_known=True,
        unit=None, bits=None, low=-1000.0, high=1000.0, mean=0.0, sd=300.0, inside=False,
        classes={}, voxels=dict.fromkeys(names, 0.001), labels=names, sided=False,
    )  # fmt: skip
    task = tasks.get("segment")
    plan = override(draft_plan(task, target, prints, machines.measure()), SET, reason=USER)
    state = task.learned([], target, plan)
    torch.manual_seed(seed)
    model = task.build(plan, state, nets).eval()
    path.mkdir()
    save_file({n: t.contiguous() for n, t in model.state_dict().items()}, path / "weights-0-0.safetensors")
    stage = Stage("segment", plan, state, ("weights-0-0.safetensors",))
    save_bundle(path, (stage,), data_hash="0" * 64, made_by="benchmarks")
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    return f"{plan.net.name} of {millions:.1f} million weights, tiles {plan.data.size}"


def _check(out: Path, shape: tuple[int, int, int]) -> None:
    """Raise RuntimeError unless the answer lies on the volume's grid and holds several labels."""
    mask = formats.read(out)
    found = np.unique(mask.array)
    if mask.shape != shape or len(found) < 3 or int(found.max()) > LABELS:
        raise RuntimeError(f"another mask than expected: {json.dumps([list(mask.shape), len(found)])}")
