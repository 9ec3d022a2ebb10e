"""The memory of a command: its own high-water mark, looked at while it runs."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _fits, _record


@dataclass(frozen=True)
class Answered:
    """A `predict` in its own process: its highest resident memory and its wall time."""

    peak_gib: float
    wall_s: float


def predict(bundle: Path, volume: Path, out: Path) -> Answered:
    """Run the command, looking at the process's own high-water mark twenty times a second."""
    began = time.monotonic()
    words = _fits.vesalius("predict", str(bundle), str(volume), "-o", str(out))
    with subprocess.Popen(
        words, cwd=_record.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, high_water_gib(process.pid))
            time.sleep(0.05)
        wall = time.monotonic() - began
        said = process.stderr.read().decode() if process.stderr else ""
    if process.returncode:
        raise RuntimeError(f"predict ended with {process.returncode}: {said[-2000:]}")
    return Answered(peak, wall)


def high_water_gib(pid: int) -> float:
    """VmHWM of a process, 0 once it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    lines = [line for line in text.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 2**20 if lines else 0.0
