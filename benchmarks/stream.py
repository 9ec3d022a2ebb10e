"""A causal model over a stream of frames: what a frame costs, that its answers are those of the file, and its memory.

The bundles are not trained: what an answer costs does not hang on how good it is. The plan is the rules' for cines of
112 × 112 grey pixels, with `--set sources.causal=true`: five members and mirror images; the others are one member.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from safetensors.torch import save_file
from websockets.sync.client import connect

from benchmarks import _fits
from benchmarks._figures import Figure, at_most
from benchmarks._memory import predict
from benchmarks.cine import address_of, percentile
from vesalius import formats, nets
from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.image import Image
from vesalius.core.plan import Plan, override
from vesalius.infer.predictor import Predictor
from vesalius.plan import machine as machines
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.rules import draft_plan
from vesalius.plan.sources import TimePrint
from vesalius.tasks import contract as tasks

SECTION = "Sequences and sources"
SOAK = False
SEEDS = (0,)
SIDE, FPS = 112, 30
FRAMES, WARM = 200, 10
LONG, FILE = 10_000, 18_000  # frames of a stream, and of a file of ten minutes
BAR_MS, BAR_MIB, BAR_SAME = 60.0, 300.0, 1e-5
OVER_TIME = ("gru", "lstm", "tcn", "timeformer", "convlstm")
TARGET = TargetInfo("class", "class", (Label(0, "no"), Label(1, "yes")))
ALONE = {"train.members": 1, "infer.mirror": []}
NARROW = {**ALONE, "net.scale": 0.125, "nets.time.scale": 0.25}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Quick: few frames, and narrow nets."""
    count, long, file = (20, 200, 300) if quick else (FRAMES, LONG, FILE)
    torch.set_num_threads(machines.measure().cores)
    usual = _bundle(folder / "usual", "gru", NARROW if quick else {})
    plan = usual.stages[0].plan
    about = (
        f"{plan.net.name} of width {plan.net.scale:g}, input {plan.data.size[1]} × {plan.data.size[2]}, "
        f"{len(usual.stages[0].members)} members, mirrored {', '.join(plan.infer.mirror) or 'not'}"
    )
    rows = [*_served(folder, usual, count, about), *_anew(usual, count)]
    for name in OVER_TIME[-2:] if quick else OVER_TIME:
        bundle = _bundle(folder / name, name, NARROW if quick else ALONE)
        rows += _alone(bundle, name, count)
    narrow = _bundle(folder / "narrow", "timeformer", NARROW)
    return [*rows, _held(narrow, long), *_file(folder, narrow, file)]


def cine(frames: int, *, seed: int = 0) -> Image:
    """Noise at uneven times, at `FPS` a second on the mean."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (frames, 1, 1, SIDE, SIDE), np.uint8)
    return Image(pixels, times_s=tuple(np.cumsum(rng.gamma(9, 1 / (9 * FPS), frames)).tolist()))


def _part(image: Image, low: int, high: int) -> Case:
    assert image.times_s is not None
    return Case("c", {"image": Image(image.array[low:high], times_s=image.times_s[low:high])})


def _served(folder: Path, bundle: Bundle, count: int, about: str) -> list[Figure]:
    """What a client of `vesalius serve` sees, one frame after another."""
    words = ("serve", f"beat={bundle.path}", "--port", "0", "--audit", str(folder / "audit.jsonl"))
    command = _fits.vesalius(*words)
    server = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(folder)}
    )
    image, took_s = cine(WARM + count), []
    assert image.times_s is not None
    try:
        with connect(f"{address_of(server)}/api/cine?model=beat", max_size=None) as socket:
            socket.send(json.dumps({"height": SIDE, "width": SIDE}))
            for k, at in enumerate(image.times_s):
                began = time.perf_counter()
                socket.send(json.dumps({"time_s": at}))
                socket.send(image.array[k].tobytes())
                said = json.loads(socket.recv())
                took_s.append(time.perf_counter() - began)
        assert said["seen"] == WARM + count, said
    finally:
        server.terminate()
        server.wait(60)
    p50, p95 = (1000 * percentile(took_s[WARM:], p) for p in (50, 95))
    what = f"over the WebSocket, {SIDE} × {SIDE}, as planned"
    note = f"{about}; aimed at 30 ms"
    return [at_most(f"{what}, p50", p50, BAR_MS, unit=" ms", digits=1, note=note), _ms(f"{what}, p95", p95)]


def _anew(bundle: Bundle, count: int) -> list[Figure]:
    """The peer: each frame answered by all frames up to it, anew."""
    ask, image = Predictor(bundle, device="cpu"), cine(count)
    rows = []
    for frames in sorted({min(30, count), count}):
        took = []
        for _ in range(3):
            began = time.perf_counter()
            ask(_part(image, 0, frames))
            took.append(1000 * (time.perf_counter() - began))
        rows.append(_ms(f"the same, all of {frames} frames answered anew", sorted(took)[1], "median of 3"))
    return rows


def _alone(bundle: Bundle, name: str, count: int) -> list[Figure]:
    """What a frame costs one member within Python, and how far its answers lie from those of the file."""
    ask, image = Predictor(bundle, device="cpu"), cine(WARM + count)
    session, took, apart = ask.open(Case("c", {}, reference=None)), [], 0.0
    checked = {0, 1, count // 2, WARM + count - 1}
    for k in range(WARM + count):
        more, began = _part(image, k, k + 1), time.perf_counter()
        answer: Any = session.step(more)
        took.append(1000 * (time.perf_counter() - began))
        if k in checked:
            wanted: Any = ask(_part(image, 0, k + 1))
            apart = max(apart, float(np.abs(answer.p - wanted.p).max()))
    took = took[WARM:]
    note = f"p95 {percentile(took, 95):.1f} ms"
    what = f"{name}, one member, within Python"
    return [
        _ms(f"{what}, p50", percentile(took, 50), note),
        Figure(
            f"{what}: largest difference to the file", f"{apart:.1e}", f"≤ {BAR_SAME:g}", apart <= BAR_SAME,
            note=f"after {', '.join(str(k + 1) for k in sorted(checked))} frames",
        ),
    ]  # fmt: skip


def _held(bundle: Bundle, frames: int) -> Figure:
    """By how much a stream's process grows from its 500th frame on."""
    ask, image, process = Predictor(bundle, device="cpu"), cine(500), psutil.Process()
    session, before, at_s = ask.open(Case("c", {}, reference=None)), 0, 0.0
    for k in range(frames):
        at_s += 1 / FPS
        frame = Image(image.array[k % 500][None], times_s=(at_s,))
        session.step(Case("c", {"image": frame}))
        if k + 1 == min(500, frames // 2):
            before = process.memory_info().rss
    grown = (process.memory_info().rss - before) / 2**20
    return at_most(
        f"resident memory, frame {frames:,} over frame {min(500, frames // 2)}", grown, 20, unit=" MiB", digits=1,
        note="timeformer, whose memory is 64 steps",
    )  # fmt: skip


def _file(folder: Path, bundle: Bundle, frames: int) -> list[Figure]:
    """What `predict` needs for a file of ten minutes above one of a second, and the frames themselves."""
    peaks, wall_s = [], 0.0
    for n in (FPS, frames):
        # evenly spaced in time, as NIfTI has it
        image, path = replace(cine(n), times_s=tuple(k / FPS for k in range(n))), folder / f"{n}.nii"
        formats.write(image, path)
        found = predict(bundle.path, path, folder / f"answers-{n}")
        peaks.append(found.peak_gib * 1024)
        wall_s = found.wall_s
    pixels = frames * SIDE * SIDE / 2**20
    note = f"{pixels:.0f} MiB of pixels not counted; all at once, prepared, {4 * pixels:.0f} more; {wall_s:.0f} s"
    more = peaks[1] - peaks[0] - pixels
    what = f"predict of a file of {frames:,} frames: highest memory above one of {FPS}"
    return [at_most(what, more, BAR_MIB, unit=" MiB", digits=0, note=note)]


def _ms(what: str, value: float, note: str = "") -> Figure:
    return Figure(what, f"{value:.1f} ms", note=note)


def _bundle(path: Path, over: str, settings: Mapping[str, Any]) -> Bundle:
    """An untrained bundle of the rules' plan, made causal, with that net over time."""
    plan = _plan({"nets.time.name": over, **settings})
    task = tasks.get("classify")
    cases = [Case(str(k), {"image": cine(2)}, targets={"class": ("no", "yes")[k % 2]}) for k in range(4)]
    state = task.learned(cases, TARGET, plan)
    path.mkdir()
    names = [f"weights-0-{k}.safetensors" for k in range(plan.train.members)]
    for k, name in enumerate(names):
        torch.manual_seed(k)
        model = task.build(plan, state, nets)
        with torch.no_grad():
            for p in model.parameters():  # what begins at nothing says something, too
                p.add_(torch.randn(p.shape) * 0.02)
        save_file(model.state_dict(), path / name)
    stage = Stage("classify", plan, state, tuple(names))
    return save_bundle(path, (stage,), data_hash="", made_by="a benchmark")


def _plan(settings: Mapping[str, Any]) -> Plan:
    prints = Fingerprint(
        cases=200, patients=200, images=("image",), channels=1, grey=True, flat=True, shape_median=(1, SIDE, SIDE),
        shape_max=(1, SIDE, SIDE), spacing_median=None, spacing_known=False, unit=None, bits=8, low=0, high=255,
        mean=128, sd=74, inside=False, classes={"no": 100, "yes": 100}, voxels={}, labels=("no", "yes"), sided=False,
        times=TimePrint(200, 60, 90, 1 / FPS),
    )  # fmt: skip
    drafted = draft_plan(tasks.get("classify"), TARGET, prints, machines.measure())
    return override(drafted, {"sources.causal": True, **settings})
