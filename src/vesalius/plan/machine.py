"""What this machine offers: cores and how many of them are free, memory, a GPU, fast bfloat16."""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from vesalius.plan import torch_threads

if sys.platform != "win32":
    import resource

QUOTA = Path("/sys/fs/cgroup/cpu.max")
CONTAINER = Path("/sys/fs/cgroup")
_FILES = (  # of cgroup version 2 and 1: the limit, what is used, and how much of it is files' pages that can go
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
A_WORKER = 256 * 2**20  # what reading and checking one large study may take


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores that this process may use, memory that is free, and the GPU if there is one (sizes in bytes).

    `weights` are the names of `weights/sources/` that are installed; None where a plan is to begin from none of them.
    """

    cores: int
    memory: int
    gpu: str | None
    gpu_memory: int
    bf16: bool
    weights: tuple[str, ...] | None = None

    @property
    def workers(self) -> int:
        """How many cases may be read and checked at once: one a core, fewer where there is little memory."""
        return max(1, min(self.cores, self.memory // A_WORKER))


def measure() -> Machine:
    """Look at the machine as it is now. bf16 counts only where the hardware multiplies in it, and is quicker for it.

    Its memory is what is free of it, of a container's share and of a declared limit, whichever is least.
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = min(cores, _granted() or cores)
    memory = free_memory()
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Machine(cores, memory, properties.name, int(properties.total_memory), bf16)
    return Machine(cores, memory, None, 0, _cpu_bf16())


def free_memory() -> int:
    """Return the bytes that this process may still take, of the machine, its container and a declared limit."""
    free = [int(psutil.virtual_memory().available)]
    granted, used = _container()
    if granted is not None:
        free.append(granted - used)
    declared = declared_memory()
    if declared is not None:
        free.append(declared)
    return max(0, min(free))


def declared_memory() -> int | None:
    """Return the bytes that are left of a limit on this process (RLIMIT_DATA); None where it has none.

    The limit is what `ulimit -d` says, or what a verb was told by `--memory-limit`.
    """
    if sys.platform == "win32":
        return None
    cap = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if cap == resource.RLIM_INFINITY:
        return None
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        taken = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))
    except (OSError, StopIteration, ValueError, IndexError):
        taken = int(psutil.Process().memory_info().rss)
    return max(0, cap - taken)


def memory_limit() -> int | None:
    """Return the bytes that this process may hold in all under a declared limit; None where it has none."""
    left = declared_memory()
    return None if left is None else left + int(psutil.Process().memory_info().rss)


def granted_memory() -> int | None:
    """Return the bytes that a container may hold in all; None where it has no such limit, or there is none."""
    return _container()[0]


def _container() -> tuple[int | None, int]:
    """Return a container's limit of memory and what is used of it, in bytes; no limit where none is told."""
    for most, now, details, name in _FILES:
        try:
            limit = int((CONTAINER / most).read_text(encoding="ascii"))
            used = int((CONTAINER / now).read_text(encoding="ascii"))
            cells = (line.split() for line in (CONTAINER / details).read_text(encoding="ascii").splitlines())
            used -= next((int(cell[1]) for cell in cells if cell[:1] == [name]), 0)
        except (OSError, ValueError):  # 'max', or no container
            continue
        if limit < psutil.virtual_memory().total:  # version 1 writes a number beyond all memory for none
            return limit, used
    return None, 0


def _granted() -> int | None:
    """Return the whole cores that a container's share of processor time comes to, at least one.

    None without such a share.
    """
    try:
        quota, period = QUOTA.read_text(encoding="utf-8").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):  # 'max', or another system
        return None


def _cpu_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return ("avx512_bf16" in flags or "amx_bf16" in flags) and _quicker_in_bf16()


@cache
def _quicker_in_bf16() -> bool:
    """Return whether a small convolution and its gradient take less time in bfloat16 than in single precision.

    A processor may have the instructions while its libraries are told to leave them alone; then bfloat16 is several
    times slower. One thread computes, and the least of a few tries counts: other work on the machine hardly touches it.
    """
    import torch

    layer, x = torch.nn.Conv2d(32, 32, 3, padding=1), torch.zeros(4, 32, 32, 32)
    took = {False: math.inf, True: math.inf}
    with torch_threads.only(1):
        for _ in range(4):
            for low in took:
                began = time.perf_counter()
                with torch.autocast("cpu", torch.bfloat16, enabled=low):
                    total = layer(x).float().sum()
                torch.autograd.grad(total, layer.weight)
                took[low] = min(took[low], time.perf_counter() - began)
    return took[True] < took[False]


class Vacancy:
    """How many cores have been free for this process since it was last asked: idle ones, and its own use.

    Threads that wait for one another at every layer are slower than one thread where another process takes a core.
    """

    SHORTEST_S = 0.2  # the kernel counts in hundredths of a second

    def __init__(self, cores: int | None = None) -> None:
        self.cores = cores or measure().cores
        self._asked, self._idle, self._own = time.monotonic(), _idle_s(), _own_s()

    def free(self) -> float | None:
        """Return cores, such as 1.9 of 2; None where too little time has passed, or the machine does not tell."""
        now, idle, own = time.monotonic(), _idle_s(), _own_s()
        passed = now - self._asked
        if idle is None or self._idle is None or passed < self.SHORTEST_S:
            return None
        found = (idle - self._idle + own - self._own) / passed
        self._asked, self._idle, self._own = now, idle, own
        return min(max(found, 0.0), float(self.cores))

    def threads(self) -> int:
        """As many threads as there are free cores, at least one; all of the cores where that is not known."""
        found = self.free()
        return self.cores if found is None else fitting(found, self.cores)


def fitting(free: float, cores: int) -> int:
    """Return how many threads suit that many free cores: a core of which a quarter is taken still counts as free."""
    return max(1, min(cores, math.floor(free + 0.25)))


def _idle_s() -> float | None:
    """Seconds that the cores this process may use have been idle since the machine began."""
    try:
        each = psutil.cpu_times(percpu=True)
    except (OSError, RuntimeError, psutil.Error):
        return None
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(each))
    if max(ours, default=0) >= len(each):
        return None
    return float(sum(each[k].idle + getattr(each[k], "iowait", 0.0) for k in ours))


def _own_s() -> float:
    """Processor seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])
