"""What it costs that processes share a step: an all-reduce by its size, a step on one and on two, and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import _record
from benchmarks._figures import Figure
from vesalius.plan import machine as machines

SECTION = "Ratios"
SOAK = False
SEEDS = (0,)
PATIENCE_S = 600.0
MIB = 1 << 20


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """The same global batch on one process and on two, of one thread each, over gloo on this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    how = "quick" if quick else "whole"
    alone, both = _found(folder, 1, how), _found(folder, 2, how)
    cores = machines.measure().cores
    each = f"{cores} cores" + (
        "; two processes share one, so that nothing can be gained" if cores < 2 else ""
    )
    rows = [_reduce(int(size), seconds) for size, seconds in both["reduces"].items()]
    what = (
        f"ResNet-18, {alone['parameters'] / 1e6:.1f} M parameters, a global batch of {alone['batch']} of 64²"
    )
    ratio = alone["step_s"] / both["step_s"]
    waits = max(0.0, 1 - both["apart_s"] / both["step_s"])
    apart, held = (
        "against the same step whose gradients stay apart",
        "all weights and DDP's buckets, half the batch",
    )
    return [
        *rows,
        Figure("a step by 1 process", f"{1000 * alone['step_s']:.1f} ms", note=f"{what}, fp32, one thread"),
        Figure("a step by 2 processes, DDP", f"{1000 * both['step_s']:.1f} ms", note=each),
        Figure("2 processes / ideal", f"{ratio / 2:.2f}", note="1 where two take half of the time"),
        Figure("share of a step of 2 that is communication", f"{100 * waits:.1f} %", note=apart),
        Figure("highest resident memory, 1 process", f"{alone['peak'] / MIB:.0f} MiB"),
        Figure("highest resident memory, each of 2", f"{both['peak'] / MIB:.0f} MiB", note=held),
    ]


def _reduce(size: int, seconds: float) -> Figure:
    """Return the row of an all-reduce of so many bytes."""
    rate = f"{2 * size / seconds / 2**30:.2f} GiB/s there and back"
    return Figure(
        f"all-reduce of {size / MIB:g} MiB by 2 processes, gloo", f"{1000 * seconds:.2f} ms", note=rate
    )


def _found(folder: Path, size: int, how: str) -> dict[str, Any]:
    """Return what the first of so many processes found. Raises RuntimeError where one of them fails."""
    out, meeting = folder / f"found-{size}.json", folder / f"meeting-{size}"
    meeting.unlink(missing_ok=True)
    words = [str(size), str(meeting.resolve()), str(out.resolve()), how]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks._parallel_worker", str(rank), *words],
            cwd=_record.ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        for process in processes:
            _, said = process.communicate(timeout=PATIENCE_S)
            if process.returncode:
                raise RuntimeError(f"a process ended with {process.returncode}: {said.strip()[-300:]}")
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found
