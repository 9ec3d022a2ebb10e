"""How long `vesalius --help` takes, and that it loads no torch."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _record
from benchmarks._figures import Figure, at_most

SECTION = "Start-up"
SOAK = False
SEEDS = (0,)
RUNS = 10
BOUND_S = 0.5
PROBE = (
    "import sys; sys.argv = ['vesalius', '--help']\n"
    "from vesalius.cli import main\n"
    "try: main()\n"
    "except SystemExit: pass\n"
    "print(sorted({'torch', 'monai', 'lightning_fabric'} & set(sys.modules)), file=sys.stderr)"
)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """The median wall seconds of the installed command over ten runs, after one that is not counted."""
    script = Path(sys.executable).with_name("vesalius")
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "vesalius"]
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run([*command, "--help"], cwd=folder, capture_output=True, check=True)
        times.append(time.perf_counter() - began)
    said = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=_record.ROOT, capture_output=True, text=True, check=True
    )
    loaded = said.stderr.strip().splitlines()[-1]
    note = f"{min(times[1:]):.3f} to {max(times[1:]):.3f} s over {RUNS} runs"
    return [
        at_most("vesalius --help", statistics.median(times[1:]), BOUND_S, unit=" s", note=note),
        Figure("heavy libraries that it loads", loaded, "[]", loaded == "[]"),
    ]
