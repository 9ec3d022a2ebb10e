"""Runtimes: how much faster graphs answer than torch, net by net, in turn in one process, and how near they are."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks._figures import Figure
from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan
from vesalius.infer import runtimes
from vesalius.infer.asked import built
from vesalius.infer.feeds import RAW
from vesalius.infer.graphs import graph_of
from vesalius.prepare.batch import Batch
from vesalius.tasks import contract as tasks
from vesalius.tasks.contract import Task

SECTION = "Ratios"
SOAK = False
SEEDS = (0,)
THREADS = 2
SECONDS = 10.0  # of each net, over all runtimes
NAMES = ("onnx", "openvino")


@dataclass(frozen=True)
class Setting:
    """A net with its task, the size that it sees, and how many rows it is given at once."""

    what: str
    task: str
    net: str
    dims: int
    size: tuple[int, int, int]
    rows: int
    scale: float = 1.0


SETTINGS = (
    Setting("ResNet-18, 28²", "classify", "resnet-18", 2, (1, 28, 28), 16),
    Setting("ViT-tiny, 224²", "classify", "vit-tiny", 2, (1, 224, 224), 4),
    Setting("2-D U-Net, 256²", "segment", "unet", 2, (1, 256, 256), 1),
    Setting("3-D U-Net, 48³", "segment", "unet", 3, (48, 48, 48), 1),
)
QUICK = (
    Setting("ResNet-18, 28²", "classify", "resnet-18", 2, (1, 28, 28), 4, 0.125),
    Setting("3-D U-Net, 16³", "segment", "unet", 3, (16, 16, 16), 1, 0.25),
)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Each net untrained, on noise; torch, then each runtime, again and again. Quick: two small nets, for a second."""
    torch.set_num_threads(1 if quick else THREADS)
    found: list[Figure] = []
    for setting in QUICK if quick else SETTINGS:
        found += _rows(setting, folder, seed=seeds[0], seconds=0.5 if quick else SECONDS)
    return found


def made(setting: Setting, seed: int) -> tuple[Task, Plan, State, nn.Module]:
    """Return a task with its plan, a state of two labels, and an untrained model."""
    labels = [{"value": v, "name": f"label-{v}", "code": None, "colour": None} for v in (1, 2)]
    sampling = "patches" if setting.task == "segment" else "whole"
    plan = Plan(
        task=TaskPlan(name=setting.task, target="truth"),
        data=DataPlan(
            dims=setting.dims,
            channels=1,
            sampling=sampling,
            size=setting.size,
            normalise=(Normalisation(method="fixed", mean=0, sd=1),),
        ),
        net=NetPlan(name=setting.net, scale=setting.scale),
        loss=LossPlan(name="dice-ce" if setting.task == "segment" else "cross_entropy"),
        train=TrainPlan(steps=1, batch=1),
    )
    state = State({"target": "truth", "labels": labels, "kind": "exclusive", "share": [0.8, 0.1, 0.1]})
    task = tasks.get(setting.task)
    torch.manual_seed(seed)
    return task, plan, state, built(task, plan, state, nets).eval()


def _rows(setting: Setting, folder: Path, *, seed: int, seconds: float) -> list[Figure]:
    task, plan, state, model = made(setting, seed)
    began = time.perf_counter()
    graph = graph_of(task, plan, state, model, watch=False)
    export_s = time.perf_counter() - began
    image = torch.randn((setting.rows, 1, *setting.size), generator=torch.Generator().manual_seed(seed))
    batch = Batch(images={"image": image}, present={"image": torch.ones(setting.rows, dtype=torch.bool)})
    feeds = {feed.name: image.numpy() for feed in graph.feeds}
    generator = torch.Generator().manual_seed(0)

    def by_torch() -> np.ndarray:
        with torch.inference_mode():
            return task.infer(model, batch, generator).numpy()

    asked: dict[str, Callable[[], np.ndarray]] = {"torch": by_torch}
    notes = {"torch": ""}
    for name in NAMES:
        opened = []
        for _ in range(2):  # the second time with what was compiled the first time
            began = time.perf_counter()
            session = runtimes.get(name).open(graph, torch.get_num_threads(), cache=folder / "compiled")
            session(feeds)
            opened.append(time.perf_counter() - began)
        asked[name] = lambda session=session: session(feeds)[RAW]  # type: ignore[misc]
        apart = float(np.abs(asked[name]() - by_torch()).max())
        notes[name] = (
            f"largest difference {apart:.1e}; exported in {export_s:.1f} s; "
            f"opened and first answered in {opened[0]:.2f} s, with its cache in {opened[1]:.2f} s"
        )
    times = _in_turn(asked, seconds)
    base = statistics.median(times["torch"])
    figures = []
    for name, each in times.items():
        middle = statistics.median(each)
        value = f"{1000 * middle / setting.rows:.2f} ms a row"
        value += "" if name == "torch" else f", {base / middle:.2f} times as fast as torch"
        figures.append(Figure(f"{setting.what}, {name}", value, note=notes[name]))
    return figures


def _in_turn(asked: dict[str, Callable[[], np.ndarray]], seconds: float) -> dict[str, list[float]]:
    """Return the seconds of each call, in turn, until so many have passed; each is called once before."""
    for call in asked.values():
        call()
    found: dict[str, list[float]] = {name: [] for name in asked}
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or len(found["torch"]) < 3:
        for name, call in asked.items():
            start = time.perf_counter()
            call()
            found[name].append(time.perf_counter() - start)
    return found
