"""The latency of a cine's frames over the service's WebSocket: one after another, and at thirty frames a second."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from websockets.sync.client import ClientConnection, connect

from benchmarks import _fits
from benchmarks._figures import Figure
from vesalius import nets
from vesalius.core.bundle import Stage, State, save_bundle
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan
from vesalius.tasks import contract as tasks

SECTION = "Service"
SOAK = False
SEEDS = (0,)
FRAMES, WARM = 200, 10
HEIGHT, WIDTH = 480, 640
FPS = 30
NETS = {  # by the model's name in the service: task, net, its input, its width
    "classifier": ("classify", "resnet-18", (1, 224, 224), 1.0),
    "segmenter": ("segment", "unet", (1, 256, 256), 0.125),
}


@dataclass(frozen=True)
class Timed:
    """What a client saw: seconds from sending a frame to its answer, and how many were dropped."""

    round_trip_s: list[float]
    server_ms: list[float]
    dropped: int


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Untrained nets behind `vesalius serve` in a process of its own; 640 × 480 grey frames on loopback."""
    count = 20 if quick else FRAMES
    bundles = [f"{name}={_bundle(folder / name, name, seeds[0])}" for name in NETS]
    command = _fits.vesalius("serve", *bundles, "--port", "0", "--audit", str(folder / "audit.jsonl"))
    server = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(folder)}
    )
    try:
        address = address_of(server)
        rows: list[Figure] = []
        frames = np.random.default_rng(seeds[0]).integers(0, 255, (8, HEIGHT, WIDTH), dtype=np.uint8)
        for name, (_, net, size, scale) in NETS.items():
            about = f"{net} of width {scale:g}, input {size[1]} × {size[2]}"
            with connect(f"{address}/api/cine?model={name}", max_size=None) as cine:
                cine.send(json.dumps({"height": HEIGHT, "width": WIDTH}))
                one = _one_by_one(cine, frames, count)
                paced = _paced(cine, frames, count)
            rows += _figures(f"{name}, one after another", one, about)
            rows += _figures(
                f"{name}, {FPS} a second",
                paced,
                f"{about}; {paced.dropped} of {count} dropped for newer ones",
            )
        return rows
    finally:
        server.terminate()
        server.wait(60)


def _figures(what: str, timed: Timed, note: str) -> list[Figure]:
    found = []
    for percent in (50, 95):
        value = 1000 * percentile(timed.round_trip_s, percent)
        inside = percentile(timed.server_ms, percent)
        said = (
            f"{note}; {inside:.1f} ms of it in the server"
            if percent == 50
            else f"{inside:.1f} ms in the server"
        )
        found.append(Figure(f"{what}, p{percent}", f"{value:.1f} ms", note=said))
    return found


def percentile(values: Sequence[float], percent: int) -> float:
    """A percentile, between the two values that are next to it."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _one_by_one(cine: ClientConnection, frames: np.ndarray, count: int) -> Timed:
    times, inside = [], []
    for k in range(WARM + count):
        began = time.perf_counter()
        cine.send(frames[k % len(frames)].tobytes())
        said = json.loads(cine.recv())
        if k >= WARM:
            times.append(time.perf_counter() - began)
            inside.append(said["ms"])
    return Timed(times, inside, 0)


def _paced(cine: ClientConnection, frames: np.ndarray, count: int) -> Timed:
    """Frames at a fixed rate, whether or not those before were answered; read in between."""
    first = WARM + count
    sent: dict[int, float] = {}
    times: list[float] = []
    inside: list[float] = []
    dropped, seen = 0, 0
    began = time.perf_counter()
    while seen + dropped < count:
        now = time.perf_counter()
        due = int((now - began) * FPS)
        if len(sent) <= min(due, count - 1):
            n = first + len(sent)
            sent[n] = time.perf_counter()
            cine.send(frames[n % len(frames)].tobytes())
            continue
        wait = began + len(sent) / FPS - now if len(sent) < count else 60
        try:
            said = json.loads(cine.recv(timeout=max(wait, 0.0005)))
        except TimeoutError:
            continue
        times.append(time.perf_counter() - sent[said["frame"]])
        inside.append(said["ms"])
        seen, dropped = seen + 1, dropped + len(said["dropped"])
    return Timed(times, inside, dropped)


def address_of(server: subprocess.Popen[str]) -> str:
    """The address of a service that was just started, as one of WebSockets."""
    for line in server.stderr or ():
        if " at http" in line:
            url = next(w for w in line.split() if w.startswith("http")).rstrip(",")
            return url.replace("http", "ws", 1)
    raise RuntimeError("the service did not start")


def _bundle(path: Path, name: str, seed: int) -> Path:
    task, net, size, scale = NETS[name]
    path.mkdir()
    labels = [{"value": k, "name": n, "code": None, "colour": None} for k, n in enumerate("ab", start=1)]
    values = {
        "target": "t",
        "kind": "exclusive",
        "labels": labels,
        "share": [0.5, 0.25, 0.25][-2 if task == "classify" else -3 :],
    }
    plan = Plan(
        task=TaskPlan(name=task, target="t"),
        data=DataPlan(
            dims=2, channels=1, sampling="whole" if task == "classify" else "patches", size=size,
            normalise=(Normalisation(method="zscore"),),
        ),
        net=NetPlan(name=net, scale=scale),
        loss=LossPlan(name="cross_entropy" if task == "classify" else "dice-ce"),
        train=TrainPlan(steps=1, batch=1),
    )  # fmt: skip
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    state = State(values)
    save_file(tasks.get(task).build(plan, state, nets).state_dict(), path / "weights-0-0.safetensors")
    save_bundle(
        path, (Stage(task, plan, state, ("weights-0-0.safetensors",)),), data_hash="", made_by="a benchmark"
    )
    return path
