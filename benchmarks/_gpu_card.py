"""The card that is measured on: its name, its peak by data sheet and by matmul, clocks that wait for it, its memory."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch

# Dense bfloat16 with sums in single precision, in TFLOP/s, of NVIDIA's data sheets (figures "with sparsity" halved)
PEAKS = (
    (r"NVIDIA (H100 80GB HBM3|H100 SXM.*|H200|GH200.*)", 989.5, "data sheets of H100 SXM, H200 and GH200"),
    (r"NVIDIA H100 PCIe", 756.5, "data sheet of H100 PCIe"),
    (r"NVIDIA (H100 NVL|H200 NVL)", 835.5, "data sheets of H100 NVL and H200 NVL"),
    (r"NVIDIA A100-.*", 312.0, "data sheet of A100"),
    (r"NVIDIA A30", 165.0, "data sheet of A30"),
    (r"NVIDIA A10", 125.0, "data sheet of A10"),
    (r"NVIDIA A40", 149.7, "data sheet of A40"),
    (r"NVIDIA L40S", 362.05, "data sheet of L40S"),
    (r"NVIDIA L4", 121.0, "data sheet of L4"),
    (r"NVIDIA GeForce RTX 4090", 165.2, "white paper of the Ada architecture"),
    (r"NVIDIA GeForce RTX 3090", 71.0, "white paper of the Ampere GA102"),
)
SIDE, SMALL_SIDE = 8192, 256


@dataclass(frozen=True)
class Card:
    """One GPU, or the processor, on which the same code is tried."""

    device: torch.device

    @property
    def cuda(self) -> bool:
        """Whether it is a GPU."""
        return self.device.type == "cuda"

    @property
    def name(self) -> str:
        """What it is called."""
        return torch.cuda.get_device_name(self.device) if self.cuda else "processor"

    @property
    def total_bytes(self) -> int | None:
        """The memory of a GPU."""
        return int(torch.cuda.get_device_properties(self.device).total_memory) if self.cuda else None

    def wait(self) -> None:
        """Wait until all that was asked for is done: without it a clock tells how long asking took."""
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def forget(self) -> None:
        """Give back the memory that nothing holds any more, and begin to look for the most anew."""
        gc.collect()
        if self.cuda:
            torch.cuda.synchronize(self.device)
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def most_bytes(self) -> int | None:
        """The most that tensors held since `forget`; None on a processor, where nothing counts them."""
        return int(torch.cuda.max_memory_allocated(self.device)) if self.cuda else None


def here() -> Card:
    """The first GPU, or the processor."""
    return Card(torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu"))


def by_data_sheet(name: str) -> tuple[float, str] | None:
    """Return FLOP/s of a card of that name in bfloat16, and where that is from; None for one that is not known."""
    for pattern, tera, source in PEAKS:
        if re.fullmatch(pattern, name):
            return tera * 1e12, source
    return None


@cache
def by_matmul(card: Card, dtype: torch.dtype, side: int) -> float:
    """Return the most FLOP/s of ten products of square matrices of that side."""
    a = torch.randn(side, side, device=card.device, dtype=dtype)
    b = torch.randn(side, side, device=card.device, dtype=dtype)
    found = seconds_of(lambda k: torch.mm(a, b), card, warm=3, steps=10, most_s=5.0)
    return 2.0 * side**3 / min(found)


def seconds_of(
    step: Callable[[int], object], card: Card, *, warm: int, steps: int, most_s: float
) -> list[float]:
    """Return the seconds of each of so many steps, fewer where `most_s` is over, but one.

    The `warm` first do not count, and may take as long again, the first of them longer, where it is compiled. The card
    is waited for before each clock is read.
    """
    until = time.perf_counter() + most_s
    for k in range(warm):
        step(k)
        card.wait()
        if time.perf_counter() > until:
            break
    card.wait()
    until = time.perf_counter() + most_s
    found: list[float] = []
    while len(found) < steps and not (found and time.perf_counter() > until):
        began = time.perf_counter()
        step(warm + len(found))
        card.wait()
        found.append(time.perf_counter() - began)
    return found


def rate_of(step: Callable[[int], object], card: Card, *, steps: int) -> float:
    """Return the seconds of a step where the card is waited for once, after all of them, as training goes."""
    step(0)
    card.wait()
    began = time.perf_counter()
    for k in range(steps):
        step(1 + k)
    card.wait()
    return (time.perf_counter() - began) / steps


def gib(n: int | None) -> str:
    """Bytes in words."""
    return "not counted on a processor" if n is None else f"{n / 2**30:.2f} GiB"
