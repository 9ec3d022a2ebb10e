"""One process of `parallel_costs`: what an all-reduce takes by its size, and a step whose gradients are meant.

python -m benchmarks._parallel_worker RANK SIZE RENDEZVOUS OUT quick|whole
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from vesalius import nets

MIB = 1 << 20
SIZES = {"whole": (MIB // 64, MIB, 16 * MIB, 64 * MIB), "quick": (MIB // 64, MIB)}  # bytes
STEPS = {"whole": 12, "quick": 3}
BATCH, SIDE, CLASSES = 32, 64, 10


class Classifier(nn.Module):
    """ResNet-18 with a head."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.net = nets.build("resnet-18", dims=2, in_channels=3, scale=scale)
        self.head = self.net.head(CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.net(x))
        return out


def timed(work: Callable[[], object], times: int) -> float:
    """Return the median seconds of so many, after two that do not count."""
    found = []
    for k in range(times + 2):
        began = time.perf_counter()
        work()
        if k > 1:
            found.append(time.perf_counter() - began)
    return statistics.median(found)


def measured(size: int, how: str) -> dict[str, Any]:
    """Return this process's figures; the group is there where `size` is more than one."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    reduces = {}
    for n in SIZES[how] if size > 1 else ():
        tensor = torch.zeros(n // 4)
        torch.distributed.barrier()
        reduces[n] = timed(lambda held=tensor: torch.distributed.all_reduce(held), STEPS[how])  # type: ignore[misc]
    model: Any = Classifier(1.0 if how == "whole" else 0.25)
    parameters = sum(p.numel() for p in model.parameters())
    if size > 1:
        model = DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    batch = BATCH if how == "whole" else 4
    x, y = torch.randn(batch // size, 3, SIDE, SIDE), torch.randint(0, CLASSES, (batch // size,))

    def step(apart: bool = False) -> None:
        with model.no_sync() if apart else nullcontext():
            nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    whole = timed(step, STEPS[how])
    alone = timed(lambda: step(True), STEPS[how]) if size > 1 else whole
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "reduces": reduces, "step_s": whole, "apart_s": alone, "peak": peak, "parameters": parameters, "batch": batch
    }  # fmt: skip


def main(words: list[str]) -> None:
    """Join the others, measure, and have the first process write what it found."""
    rank, size, meeting, out, how = int(words[0]), int(words[1]), words[2], Path(words[3]), words[4]
    if size > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{meeting}", rank=rank, world_size=size
        )
    found = measured(size, how)
    if rank == 0:
        out.write_text(json.dumps(found), encoding="utf-8")
    if size > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1:])
