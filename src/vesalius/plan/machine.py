"""What this machine offers: cores, memory, a GPU, fast bfloat16."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores that this process may use, memory that is free, and the GPU if there is one (sizes in bytes)."""

    cores: int
    memory: int
    gpu: str | None
    gpu_memory: int
    bf16: bool


def measure() -> Machine:
    """Look at the machine as it is now. bf16 counts only where the hardware multiplies in it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = int(psutil.virtual_memory().available)
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return Machine(
            cores, memory, properties.name, int(properties.total_memory), torch.cuda.is_bf16_supported()
        )
    return Machine(cores, memory, None, 0, _cpu_bf16())


def _cpu_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
