"""BreastMNIST with --time-limit 1m, again and again: steps, validation AUC, seconds; alone and beside busy processes.

`python -m benchmarks.first_minute FOLDER --runs 20 --busy 0` makes one of the two series alone, and goes on where it
was interrupted: a run that stands in FOLDER is not made again.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import _fits, _quick, _record
from benchmarks._figures import Figure, at_least, at_most

SECTION = "Soak"
SOAK = True
SEEDS = (0,)
LIMIT_S = 60
SERIES = ((0, 20, 300), (2, 10, 120))  # busy processes beside, runs, steps that each must make
MEDIAN_AUC = 0.85
BUSY = (sys.executable, "-c", "while True: pass")


@dataclass(frozen=True)
class Outcome:
    """One run: its exit code, wall seconds, steps of all members, their mean validation AUC, and why it failed."""

    code: int
    wall_s: float
    steps: int = 0
    members: int = 0
    auc: float = 0.0
    said: str = ""


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Both series. Quick: one run of each on tiny pictures."""
    data = _quick.pictures(folder) if quick else _fits.shared("medmnist/breastmnist.npz")
    rows = []
    for busy, runs, steps in SERIES:
        for seed in seeds:
            found = series(folder / f"busy-{busy}", data, runs=1 if quick else runs, busy=busy, seed=seed)
            rows += figures(found, busy=busy, steps=steps, seed=seed)
    return rows


def series(folder: Path, data: Path, *, runs: int, busy: int, seed: int) -> list[Outcome]:
    """That many runs, each in a process of its own; one that `folder` holds is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(runs):
        kept = folder / f"seed-{seed}-{number}.json"
        if not kept.is_file():
            with beside(busy):
                outcome = one(data, folder / f"seed-{seed}-{number}", seed)
            kept.write_text(json.dumps(asdict(outcome)) + "\n", encoding="utf-8")
        found.append(Outcome(**json.loads(kept.read_text(encoding="utf-8"))))
        print(f"  busy {busy}, seed {seed}, run {number}: {found[-1]}", flush=True)
    return found


def one(data: Path, out: Path, seed: int) -> Outcome:
    """A fit as a user runs it, with one minute."""
    words = _fits.vesalius(
        "fit", str(data), "-o", str(out), "--time-limit", f"{LIMIT_S}s", "--seed", str(seed)
    )
    shutil.rmtree(out, ignore_errors=True)  # of a run that was interrupted
    began = time.monotonic()
    done = subprocess.run(words, cwd=_record.ROOT, capture_output=True, text=True, check=False)
    wall = time.monotonic() - began
    if done.returncode:
        return Outcome(done.returncode, wall, said=done.stderr.strip().splitlines()[-1][:300])
    if data.is_relative_to(_fits.SHARED):
        command = f"vesalius fit {_fits.said(data)} --time-limit {LIMIT_S}s --seed {seed}"
        _fits.written_down(out, data, command, seed, wall, at=_record.commit())
    ends = [last(path) for path in sorted((out / "logs").glob("*.csv"))]
    scores = [score for _, score in ends]
    return Outcome(0, wall, sum(step for step, _ in ends), len(ends), statistics.fmean(scores))


def last(log: Path) -> tuple[int, float]:
    """A member's last step, and its last validation score."""
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    steps = [int(row[0]) for row in rows if row and row[0].isdecimal()]
    scores = [float(row[2]) for row in rows if row[1:2] == ["score"]]
    return max(steps, default=0), scores[-1] if scores else float("nan")


@contextmanager
def beside(busy: int) -> Iterator[None]:
    """While inside, that many processes do nothing but use a core each."""
    others = [subprocess.Popen(BUSY) for _ in range(busy)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def figures(found: Sequence[Outcome], *, busy: int, steps: int, seed: int) -> list[Figure]:
    """What is asked of a series of runs."""
    where = f"beside {busy} busy processes" if busy else "alone"
    good = [o for o in found if o.code == 0]
    n = f"{len(found)} runs"
    ended = Figure(
        f"{where}: ended with a bundle", f"{len(good)}", f"{len(found)}", len(good) == len(found), str(seed)
    )
    if not good:
        return [ended]
    walls = [o.wall_s for o in good]
    rows = [
        ended,
        at_least(
            f"{where}: fewest steps", min(o.steps for o in good), steps, digits=0, seed=str(seed), note=n
        ),
        at_most(f"{where}: longest", max(walls), 1.1 * LIMIT_S, unit=" s", digits=1, seed=str(seed), note=n),
        at_least(f"{where}: shortest / limit", min(walls) / LIMIT_S, 0.8, seed=str(seed), note=n),
    ]
    if not busy:
        median = statistics.median(o.auc for o in good)
        rows.append(at_least(f"{where}: median validation AUC", median, MEDIAN_AUC, seed=str(seed), note=n))
    return rows


def main() -> int:
    """One series into a folder that is kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_minute", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    data = _fits.shared("medmnist/breastmnist.npz")
    found = series(given.folder, data, runs=given.runs, busy=given.busy, seed=given.seed)
    steps = next((least for busy, _, least in SERIES if busy == given.busy), 1)
    rows = figures(found, busy=given.busy, steps=steps, seed=given.seed)
    for figure in rows:
        print("  ".join(cell for cell in figure.cells() if cell))
    return 0 if all(f.holds is not False for f in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
