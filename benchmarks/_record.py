"""Writing into docs/benchmarks.md: dated blocks under their section, and the append-only table of test runs."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks._figures import Figure, table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
TEST_RUNS = "Runs scored on a test split"


def machine() -> str:
    """The machine in a line: processor, cores, memory, GPU, operating system, Python, torch; never its name."""
    import psutil
    import torch

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        named = [
            x.partition(":")[2].strip() for x in info.read_text().splitlines() if x.startswith("model name")
        ]
        model = named[0] if named else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{model}, {cores} cores, {memory:.0f} GiB, {gpu}, {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch.__version__.partition('+')[0]}"
    )


def commit() -> str:
    """The commit that is checked out, and whether the tree differs from it."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}{' and changes' if changed else ''}"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def load() -> str:
    """What else the machine was doing: its load average before the benchmark began."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def block(name: str, figures: Sequence[Figure], *, command: str, busy: str) -> str:
    """A dated block of one benchmark's figures."""
    now = datetime.datetime.now(tz=datetime.UTC)
    return (
        f"### {name}, {now:%Y-%m-%d %H:%M} UTC\n\n"
        f"Commit {commit()}; {machine()}; load average before it {busy}. `{command}`\n\n{table(figures)}\n"
    )


def append_block(section: str, text: str, page: Path = PAGE) -> None:
    """Put a block at the end of a section. Raises ValueError where the page has no such section."""
    before, inside, after = _section(page.read_text(encoding="utf-8"), section)
    page.write_text(f"{before}{inside.rstrip()}\n\n{text.strip()}\n{after}", encoding="utf-8")


def append_test_run(cells: Sequence[str], page: Path = PAGE) -> None:
    """Add a row (date, commit, command, seed, data, metrics, note) to the table of test runs; none is ever changed."""
    row = "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
    before, inside, after = _section(page.read_text(encoding="utf-8"), TEST_RUNS)
    page.write_text(f"{before}{inside.rstrip()}\n{row}\n{after}", encoding="utf-8")


def _section(text: str, name: str) -> tuple[str, str, str]:
    head = f"## {name}\n"
    before, found, rest = text.partition(head)
    if not found:
        raise ValueError(f"docs/benchmarks.md has no section '{name}'")
    inside, following, after = rest.partition("\n## ")
    return before + head, inside, following + after
