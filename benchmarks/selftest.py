"""The self-test: other arithmetic passes it, changed weights fail it, what it costs, and which changes it finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import vesalius as vs
from benchmarks import _record, predict_memory
from benchmarks._figures import Figure
from vesalius.core.bundle import Bundle
from vesalius.core.marks import difference
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest import inputs, record
from vesalius.infer.selftest.checking import selftested
from vesalius.infer.selftest.observing import RAW, Observed, observe
from vesalius.infer.selftest.recording import recorded
from vesalius.serve.models import MOST_S
from vesalius.verbs.phantom import phantom

SECTION = "Self-test"
SOAK = False
SEEDS = (0,)
TENSORS = 24  # drawn from each bundle, each changed in every way
OTHERS = range(100, 103)  # seeds of inputs that no record holds, on which a change is seen to matter or not
PICTURES: Mapping[str, Any] = {
    "net.scale": 0.125,
    "train.steps": 80,
    "train.members": 1,
    "data.size": [1, 48, 48],
}
VOLUMES: Mapping[str, Any] = {
    "net.scale": 0.125,
    "train.steps": 80,
    "train.batch": 1,
    "data.size": [16, 32, 32],
}
TRAINED: Mapping[str, Mapping[str, Any]] = {
    "classes": PICTURES,
    "classes, ensemble": {**PICTURES, "train.members": 3, "train.folds": 3},
    "number": PICTURES,
    "masks, fp32": {**VOLUMES, "train.precision": "fp32"},
    "masks, bf16": {**VOLUMES, "train.precision": "bf16"},
    "masks, two stages": {**VOLUMES, "train.precision": "fp32", "locate.spacing_factor": 2.0},
}
WAYS: Mapping[str, tuple[Mapping[str, str], int, bool]] = {  # environment, threads, oneDNN
    "as it was recorded": ({}, 1, True),
    "two threads": ({}, 2, True),
    "ATEN_CPU_CAPABILITY=default": ({"ATEN_CPU_CAPABILITY": "default"}, 1, True),
    "ATEN_CPU_CAPABILITY=avx2": ({"ATEN_CPU_CAPABILITY": "avx2"}, 1, True),
    "ONEDNN_MAX_CPU_ISA=SSE41": ({"ONEDNN_MAX_CPU_ISA": "SSE41"}, 1, True),
    "ONEDNN_MAX_CPU_ISA=AVX2": ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, 1, True),
    "ONEDNN_MAX_CPU_ISA=AVX512_CORE": ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, 1, True),
    "MKL_CBWR=COMPATIBLE": ({"MKL_CBWR": "COMPATIBLE"}, 1, True),
    "without oneDNN": ({}, 1, False),
    "all of the oldest, without oneDNN, two threads": (
        {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}, 2, False,
    ),
}  # fmt: skip
PROBE = """
import json, sys, torch
from vesalius.core.bundle import open_bundle
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest.checking import selftested
threads, onednn, paths = int(sys.argv[1]), sys.argv[2] == "True", sys.argv[3:]
torch.set_num_threads(threads)
found = []
with torch.backends.mkldnn.flags(enabled=onednn):
    for path in paths:
        bundle = open_bundle(path)
        predictor = Predictor(bundle, device="cpu", cores=threads)
        predictor.threads = None
        done = selftested(bundle, predictor)
        found.append({"outcome": done.outcome, "largest": done.largest, "why": done.why})
print(json.dumps(found))
"""
SCALED = (1.01, 1.05, 1.2)


@dataclass(frozen=True)
class Power:
    """How many changes were made, how many of them moved an answer to other inputs, and how many were found."""

    made: int
    mattered: int
    found: int
    both: int


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Bundles of every task and precision, trained on phantoms for a minute in all. Quick: two of them, a few steps."""
    torch.set_num_threads(1)
    bundles = dict(_bundles(folder, seeds[0], quick=quick))
    rows = [_cost(name, bundle) for name, bundle in bundles.items()]
    rows += _ways(bundles, list(WAYS)[:3] if quick else list(WAYS))
    for name, bundle in bundles.items():
        rows += _powers(name, bundle, seeds[0], 3 if quick else TENSORS)
    return rows if quick else [*rows, _large(folder, seeds[0])]


def _bundles(folder: Path, seed: int, *, quick: bool) -> Iterator[tuple[str, Bundle]]:
    few = {"train.steps": 6, "net.scale": 0.125}
    pictures = phantom(folder / "pictures", cases=24, seed=seed, format="png")
    volumes = phantom(folder / "volumes", cases=8, seed=seed, size=(16, 48, 48))
    for name, settings in TRAINED.items():
        if quick and name not in ("classes", "masks, fp32"):
            continue
        numbers, masks = name.startswith("number"), name.startswith("masks")
        data = volumes if masks else pictures / ("cohort.csv" if numbers else "classes")
        told: dict[str, Any] = {"target": "mask"} if masks else {"target": "age"} if numbers else {}
        chosen = {
            "train.members": 1,
            "train.validations": 1,
            "train.threads": 1,
            **settings,
            **(few if quick else {}),
        }
        out = folder / name.replace(", ", "-").replace(" ", "-")
        run = vs.fit(data, out, settings=chosen, seed=seed, progress=False, **told)
        assert run.bundle is not None
        yield name, run.bundle


def _cost(name: str, bundle: Bundle) -> Figure:
    """How much of one core a record and a test take, and how large the record is."""
    began = time.process_time()
    again = recorded(bundle, device="cpu")
    took = time.process_time() - began
    if again.hash != bundle.hash:
        raise RuntimeError(f"{name}: recorded again, the self-test is another one")
    predictor = Predictor(again, device="cpu", cores=1)
    began = time.process_time()
    done = selftested(again, predictor, most_s=MOST_S)
    tested = time.process_time() - began
    if not done.passed:
        raise RuntimeError(f"{name}: {done.why}")
    size = sum(p.stat().st_size for p in bundle.path.glob("selftest-*"))
    note = f"{took:.2f} s to record; {size / 1000:.1f} kB; {done.arithmetic}; inputs answered: {done.inputs}"
    return Figure(f"seconds of a core at a service's start, {name}", f"{tested:.2f} s", note=note)


def _large(folder: Path, seed: int) -> Figure:
    """The cost of the default 3-D U-Net, untrained: one answer is much work, so that two inputs are all."""
    plan = predict_memory._plan(predict_memory.SHAPE, 1.0)
    bundle = predict_memory._bundle(folder / "large", plan, seed)
    began = time.process_time()
    bundle = recorded(bundle, device="cpu")
    took = time.process_time() - began
    predictor, began = Predictor(bundle, device="cpu", cores=1), time.process_time()
    done = selftested(bundle, predictor, most_s=MOST_S)
    name = f"default 3-D U-Net, patch {'×'.join(map(str, plan.data.size))}"
    note = f"{took:.1f} s to record; {done.outcome}; {done.arithmetic}; inputs answered: {done.inputs}"
    what = f"seconds of a core at a service's start, {name}"
    return Figure(what, f"{time.process_time() - began:.1f} s", note=note)


def _ways(bundles: Mapping[str, Bundle], names: Sequence[str]) -> list[Figure]:
    """Whether each bundle passes under another arithmetic, and the largest difference as a share of its limit."""
    rows = []
    for name in names:
        environment, threads, onednn = WAYS[name]
        words = [
            sys.executable,
            "-c",
            PROBE,
            str(threads),
            str(onednn),
            *(str(b.path) for b in bundles.values()),
        ]
        done = subprocess.run(
            words,
            env={**os.environ, **environment},
            cwd=_record.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr[-1000:]}")
        found = json.loads(done.stdout.strip().splitlines()[-1])
        passed = [one["outcome"] == "passed" for one in found]
        note = "; ".join(f"{n} {one['largest']:.3f}" for n, one in zip(bundles, found, strict=True))
        value = f"{sum(passed)} of {len(passed)} pass"
        rows.append(
            Figure(
                f"arithmetic: {name}", value, "all", all(passed), note=f"largest difference / limit: {note}"
            )
        )
    return rows


def _powers(name: str, bundle: Bundle, seed: int, tensors: int) -> list[Figure]:
    """Which changes of single tensors the answers alone find: no hash is looked at."""
    predictor = Predictor(bundle, device="cpu", cores=1)
    kept = record.of(bundle)
    assert kept is not None
    generator = torch.Generator().manual_seed(seed)
    held = list(_held(predictor))
    places = torch.randperm(len(held), generator=generator)[:tensors].tolist()
    last = predictor.stages[-1]
    cases = [inputs.make(last.task, last.stage, kept.recipe, other)[1] for other in OTHERS]
    before = [observe(predictor, case) for case in cases]
    rows = []
    for what, change in _changes():
        found: list[tuple[bool, bool]] = []
        for place in places:
            with _changed(held[place], change):
                mattered = any(
                    _moved(one, observe(predictor, case), kept.tolerance)
                    for one, case in zip(before, cases, strict=True)
                )
                found.append((mattered, not selftested(bundle, predictor).passed))
        rows.append(
            _row(
                name,
                what,
                Power(
                    len(found),
                    sum(m for m, _ in found),
                    sum(f for _, f in found),
                    sum(m and f for m, f in found),
                ),
            )
        )
    after = selftested(bundle, predictor)
    if not after.passed:  # or else all that came later would have been found for what came before
        raise RuntimeError(f"{name}: the weights are not what they were before the changes: {after.why}")
    return rows


def _row(name: str, what: str, power: Power) -> Figure:
    note = (
        f"{power.mattered} of {power.made} changes moved an answer to {len(OTHERS)} other inputs by more than the "
        f"limit; {power.found} of {power.made} were found in all"
    )
    return Figure(f"power: {name}, {what}", f"{power.both} of {power.mattered} found", note=note)


def _changes() -> Iterator[tuple[str, Callable[[torch.Tensor], torch.Tensor]]]:
    for factor in SCALED:
        yield f"one tensor × {factor:g}", lambda t, f=factor: t * f  # type: ignore[misc]
    yield "one tensor's rows moved by one", lambda t: t.roll(1, dims=0) if t.ndim else t * 1.05
    yield "one number of a tensor × 2", _one_doubled


def _one_doubled(tensor: torch.Tensor) -> torch.Tensor:
    changed = tensor.clone()
    flat = changed.view(-1)
    flat[int(flat.abs().argmax())] *= 2
    return changed


def _held(predictor: Predictor) -> Iterator[torch.Tensor]:
    for loaded in predictor.stages:
        for model in loaded.models:
            yield from (t for t in model.state_dict().values() if t.is_floating_point() and t.numel())


@contextmanager
def _changed(tensor: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    before = tensor.clone()
    try:
        tensor.copy_(change(before))
        yield
    finally:
        tensor.copy_(before)


def _moved(before: Observed, after: Observed, limit: float) -> bool:
    """Whether what is answered, apart from raw outputs, is another answer."""
    return any(
        difference(mark, after.marks[name]) > limit if name in after.marks else True
        for name, mark in before.marks.items()
        if not name.startswith(RAW)
    )
