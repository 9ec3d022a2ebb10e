"""How long a map of a picture of 224×224 and a volume of 96³ takes, and how much of it is not the net: ResNet-18."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks._asked import Classifier, asked, counted
from benchmarks._figures import Figure, at_most
from vesalius.core.registry import names
from vesalius.explain import methods
from vesalius.explain.contract import Setting
from vesalius.explain.stand_in import stand_in

SECTION = "Explanations"
SOAK = False
SEEDS = (0,)
BEYOND = 0.1  # of a method's time outside of its network
THREADS = 2
KINDS = {  # size, depth, the most samples, the most seconds
    "a picture of 224×224": (224, 1, 200, 10.0),
    "a volume of 96³": (96, 96, 100, 60.0),
}
SLIGHT = 0.1  # seconds: of less a share says nothing


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Time each method that suits a ResNet-18 on one phantom, superpixels and all."""
    torch.set_num_threads(THREADS)
    rows: list[Figure] = []
    for what, (size, depth, most, bound) in KINDS.items():
        flat = depth == 1
        if quick:
            size, depth, most = (64, 1, 12) if flat else (32, 32, 8)
        shape = (size, size) if flat else (depth, size, size)
        scale = 0.25 if quick else 1.0
        net = Classifier("resnet-18", dims=len(shape), channels=1, size=shape, scale=scale)
        for name in names(methods.KIND):
            rows += _timed(name, net, what, size=size, depth=depth, most=most, bound=bound)
    return rows


def _timed(
    name: str, net: Classifier, what: str, *, size: int, depth: int, most: int, bound: float
) -> list[Figure]:
    method, question = methods.get(name), asked(net, size=size, depth=depth)
    if method.refuses(question) is not None:
        return []
    setting = Setting(stand_in(question), min(method.samples, most), 0)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    question.each([(question.image, None)])  # the first pass of all is slower
    before = question.passes
    with counted(net):
        began: Any = time.perf_counter()
        method.attribute(question, setting)
        took = time.perf_counter() - began
        within = net.seconds
    passes = f"{question.passes - before} passes"
    rows = [at_most(f"{what}: {name}", took, bound, unit=" s", digits=2, note=passes)]
    if took - within > SLIGHT:
        share = (took - within) / took
        note = f"{took - within:.2f} s of {took:.2f} s"
        rows.append(at_most(f"{what}: {name}, beyond its network", share, BEYOND, note=note))
    return rows
