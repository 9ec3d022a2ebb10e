"""The memory of this process and its children, and a cap that the system keeps on it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from vesalius.core.errors import BudgetError
from vesalius.plan.machine import granted_memory
from vesalius.run.limits.allowance import memory_written

if sys.platform != "win32":
    import resource

_STATUS = Path("/proc/self/status")
_TASKS = Path("/proc/self/task")
SLACK, SLACK_SHARE = 24 * 2**20, 0.04  # below the limit work is ended, so that nothing is ever above it
LOADING = 90 * 2**20  # what the libraries of a verb, read when they are needed, take beside torch
OFTEN_S = 0.25
UNTOUCHED = 0.75  # of what is mapped and was never touched, such as stacks of threads: it is not counted
WORK = 60 * 2**20  # the least that anything done with an image takes


def slack(limit: int) -> int:
    """Return how many bytes below a limit the work is ended."""
    return max(SLACK, int(SLACK_SHARE * limit))


def held() -> int:
    """Return the resident bytes of this process now."""
    return int(psutil.Process().memory_info().rss)


class Children:
    """The memory of this process's children, of those that have been there for a while.

    A child that has only just begun still is its parent, whose memory would count twice; one that stays the same
    program shares its parent's pages, and only its own count.
    """

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._words = psutil.Process().cmdline()

    def held(self) -> int:
        """Return their bytes now."""
        now, total = set(_children()), 0
        for child in now & self._known:
            with suppress(psutil.Error):
                process = psutil.Process(child)
                same = process.cmdline() == self._words
                total += int(process.memory_full_info().uss if same else process.memory_info().rss)
        self._known = now
        return total


def _children() -> list[int]:
    """Return the process ids of the children; none where the system does not list them."""
    found: list[int] = []
    with suppress(OSError, ValueError):
        for task in _TASKS.iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def _parts() -> dict[str, int]:
    """Return the bytes of this process by the kernel's names; none where there is no such file."""
    with suppress(OSError, ValueError):
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        cells = (line.split() for line in lines if line.startswith(("VmData", "Rss")))
        return {name.rstrip(":"): int(number) * 1024 for name, number, _ in cells}
    return {}


def assert_possible(limit: int) -> int:
    """Return the limit, or that of the container where that is less. Raises BudgetError where nothing can work in it.

    The libraries that any work needs are loaded first, so that what is said is measured.
    """
    import torch

    torch.ones(1 << 18).sum()  # its threads begin now, and not where there is no memory for them
    there = granted_memory()
    limit = limit if there is None else min(limit, there)
    least = held() + LOADING + WORK + slack(limit)
    if limit < least:
        raise BudgetError(
            f"a memory limit of {memory_written(limit)} is too small for any work",
            found=f"{memory_written(held())} in use before it begins",
            hint=f"--memory-limit {memory_written(1.05 * least)}",
        )
    return limit


class Cap:
    """What the system lets this process hold: memory beyond it is refused where it is asked for, never given.

    The kernel caps private memory that is mapped (RLIMIT_DATA, Linux 4.7), touched or not, and no pages of files. So
    what the latter take is taken off, most of what was never touched is added, and both are looked at again and again.
    Elsewhere there is no cap, and watching alone must do.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self._set = limit, -1
        self.works = sys.platform == "linux" and bool(_parts())
        self._before = resource.getrlimit(resource.RLIMIT_DATA) if self.works else (-1, -1)

    def follow(self, *, share: float = 1.0, children: int = 0) -> None:
        """Set it by what the pages of files and the children's `children` bytes take now.

        A `share` of what would be left of it is given, where only a trial is made.
        """
        if not self.works:
            return
        parts = _parts()
        if "VmData" not in parts:
            return
        fixed = parts.get("RssFile", 0) + parts.get("RssShmem", 0) + children
        untouched = max(0, parts["VmData"] - parts.get("RssAnon", 0))
        cap = self.limit - fixed - SLACK // 3 + int(UNTOUCHED * untouched)
        if share < 1.0:
            cap = parts["VmData"] + int(share * max(0, cap - parts["VmData"]))
        if abs(cap - self._set) > 2**20:
            self._put(max(cap, 2**20))

    def _put(self, cap: int) -> None:
        hard = self._before[1]
        cap = cap if hard == resource.RLIM_INFINITY else min(cap, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (cap, hard))
            self._set = cap

    def lift(self) -> None:
        """Put back what was before."""
        if self.works:
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_DATA, self._before)


@contextmanager
def kept_below(limit: int) -> Iterator[None]:
    """Inside this block, as long as it may last, hold no more than `limit` bytes: a service refuses what takes more.

    Raises BudgetError where nothing can work in so little.
    """
    over = threading.Event()
    with capped(assert_possible(limit)) as cap:

        def follow() -> None:
            while cap is not None and not over.wait(OFTEN_S):
                cap.follow()

        watching = threading.Thread(target=follow, daemon=True, name="memory")
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()


@contextmanager
def capped(limit: int | None) -> Iterator[Cap | None]:
    """Inside this block, let the process hold no more than `limit` bytes; None is no limit."""
    if limit is None:
        yield None
        return
    cap = Cap(limit)
    cap.follow()
    try:
        yield cap
    finally:
        cap.lift()
