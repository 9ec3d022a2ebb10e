"""One GPU in ten minutes: steps and their share of the peak, memory, the largest net, agreement, feeding, five folds.

    python -m benchmarks.gpu                         all slices, one after the other, 570 s in all
    python -m benchmarks.gpu vit unet --seconds 200  some of them
    python -m benchmarks.gpu --quick                 tiny stand-ins on any machine, to try the code

Each slice is a process of its own with seconds of its own, so that one that hangs, or leaves the card in a bad state,
takes nothing from the others. Every figure is written the moment it is known: FOLDER/rows.jsonl, and FOLDER/gpu.md as
a table. nnU-Net's step needs a Python that has nnunetv2 (Apache-2.0): this one, or the one of `--nnunet`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import _gpu_agree, _gpu_feed, _gpu_fits, _gpu_largest, _gpu_train, _record
from benchmarks._figures import Figure, table
from benchmarks._fits import KEPT, Absent
from benchmarks._gpu_card import here
from benchmarks._gpu_given import Given

SECTION = "GPU"
SOAK = True
SEEDS = (0,)
ALL_S = 570.0
START_S = 8.0  # a process, torch and the card's context
ROWS, TABLE = "rows.jsonl", "gpu.md"
THEIR_PYTHON = _record.ROOT / ".nnunet" / "bin" / "python"


@dataclass(frozen=True)
class Slice:
    """A part of the script that can be run alone, and how many of 570 seconds it may take; 0 for what is left."""

    seconds: float
    measured: Callable[[Given], Iterator[Figure]]


SLICES = {
    "peak": Slice(20, _gpu_train.peak),
    "vit": Slice(75, _gpu_train.vit),
    "unet": Slice(120, _gpu_train.unet),
    "nnunet": Slice(75, _gpu_train.nnunet),
    "agreement": Slice(40, _gpu_agree.agreement),
    "feeding": Slice(40, _gpu_feed.feeding),
    "largest": Slice(75, _gpu_largest.largest),
    "scaling": Slice(40, _gpu_fits.scaling),
    "folds": Slice(0, _gpu_fits.folds),
}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """All slices. Quick: tiny nets in this process, on whatever there is. Raises Absent without a GPU otherwise."""
    if quick:
        return small(folder, tuple(SLICES))
    out = KEPT / "gpu" / time.strftime("%Y%m%d-%H%M%S")
    return whole(out, tuple(SLICES), seconds=ALL_S, nnunet=None)


def small(folder: Path, names: Sequence[str], *, seconds: float = 20.0) -> list[Figure]:
    """Run slices with tiny stand-ins in this process, each for so many seconds at most, and write what they find."""
    found: list[Figure] = []
    for name in names:
        given = Given(here(), time.monotonic() + seconds, True, folder, nnunet=theirs(None))
        for figure in SLICES[name].measured(given):
            _keep(folder, name, figure)
            found.append(figure)
    return found


def whole(folder: Path, names: Sequence[str], *, seconds: float, nnunet: Path | None) -> list[Figure]:
    """Run slices one after the other, each in a process of its own. Raises Absent without a GPU."""
    if not here().cuda:
        raise Absent("no GPU here; --quick tries the code on the processor")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ROWS).touch()
    until = time.monotonic() + seconds
    for name in names:
        left = until - time.monotonic()
        own = SLICES[name].seconds * seconds / ALL_S if SLICES[name].seconds else left
        allowed = min(left, own)
        if allowed <= START_S:
            _keep(folder, name, Figure(name, "left out", note="no time was left"))
            continue
        _slice(folder, name, allowed, nnunet)
        (folder / TABLE).write_text(table(kept(folder)) + "\n", encoding="utf-8")
    (folder / TABLE).write_text(table(kept(folder)) + "\n", encoding="utf-8")
    return kept(folder)


def _slice(folder: Path, name: str, allowed: float, nnunet: Path | None) -> None:
    """Run one slice in a process, which is ended a little after its time; what it has written until then stands."""
    words = [sys.executable, "-m", "benchmarks.gpu", name, "--child", str(folder)]
    words += ["--seconds", f"{allowed - START_S:.0f}"] + (["--nnunet", str(nnunet)] if nnunet else [])
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            words, cwd=_record.ROOT, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            process.wait(timeout=allowed)
        except subprocess.TimeoutExpired:
            _keep(folder, name, Figure(name, f"ended after {allowed:.0f} s", note="what it had found stands"))
            return
        finally:  # with all that it began, or the next slice would share the card with it
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            said.seek(0)
            last = (said.read().strip().splitlines() or ["nothing was said"])[-1][:200]
            _keep(folder, name, Figure(name, f"failed: {last}", holds=False, bound="ends well"))


def _keep(folder: Path, name: str, figure: Figure) -> None:
    """Append a figure to the rows on disk."""
    with (folder / ROWS).open("a", encoding="utf-8") as rows:
        rows.write(json.dumps({"slice": name, **asdict(figure)}) + "\n")


def kept(folder: Path) -> list[Figure]:
    """Return the figures of a folder, but for a row that was being written when it was ended."""
    found = []
    for line in (folder / ROWS).read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        found.append(Figure(**{name: value for name, value in row.items() if name != "slice"}))
    return found


def theirs(named: Path | None) -> Path | None:
    """Return a Python that has nnunetv2: the one named, this one, or that of `.nnunet`; None where there is none."""
    if named is not None:
        return named
    if importlib.util.find_spec("nnunetv2"):
        return Path(sys.executable)
    return THEIR_PYTHON if THEIR_PYTHON.exists() else None


def main(words: Sequence[str] | None = None) -> int:
    """Returns 1 where a bound was not kept or a slice failed, 2 for a slice that is not there and without a GPU."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("names", nargs="*", metavar="SLICE", help=f"which [all]: {', '.join(SLICES)}")
    parser.add_argument("--seconds", type=float, default=ALL_S, help="of all of them together")
    parser.add_argument("--out", type=Path, default=None, metavar="FOLDER", help="where the figures go")
    parser.add_argument("--nnunet", type=Path, default=None, metavar="PYTHON", help="has nnunetv2")
    parser.add_argument("--quick", action="store_true", help="tiny stand-ins; nothing is recorded")
    parser.add_argument("--child", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    names = given.names or list(SLICES)
    strange = [n for n in names if n not in SLICES]
    if strange:
        print(f"no slice '{strange[0]}'; there are: {', '.join(SLICES)}", file=sys.stderr)
        return 2
    if given.child is not None:
        work = Given(here(), time.monotonic() + given.seconds, False, given.child, theirs(given.nnunet))
        for figure in SLICES[names[0]].measured(work):
            _keep(given.child, names[0], figure)
        return 0
    out = given.out or KEPT / "gpu" / time.strftime("%Y%m%d-%H%M%S")
    out.mkdir(parents=True, exist_ok=True)
    busy = _record.load()
    try:
        rows = (
            small(out, names)
            if given.quick
            else whole(out, names, seconds=given.seconds, nnunet=given.nnunet)
        )
    except Absent as reason:
        print(f"skipped: {reason}", file=sys.stderr)
        return 2
    print(table(rows))
    if not given.quick:
        command = " ".join(["python -m benchmarks.gpu", *given.names])
        _record.append_block(SECTION, _record.block("gpu", rows, command=command, busy=busy))
    return 0 if all(f.holds is not False for f in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
