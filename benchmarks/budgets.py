"""Whether declared limits are kept: the peak memory of twenty commands seen from outside, and the time of some."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import _fits, _record
from benchmarks._figures import Figure, at_least, at_most
from vesalius.core.image import Image
from vesalius.formats import write
from vesalius.verbs.phantom import phantom

SECTION = "Memory"
SOAK = False
SEEDS = (0,)
GB = 1e9
ROOMY, TIGHT = 1.0, 0.6
FIT = (
    "--set",
    "train.steps=6",
    "--set",
    "train.members=1",
    "--set",
    "net.scale=0.25",
    "--set",
    "train.threads=1",
)
ORDERLY = (0, 1, 2, 3)  # done, done but for some, refused at once, ended by the limit
TIME_S, LATE, EARLY = 40.0, 1.1, 0.8


@dataclass(frozen=True)
class Ran:
    """A command in a process of its own: its highest resident memory, its wall time, its exit code, its last line."""

    peak_gb: float
    wall_s: float
    code: int
    said: str


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Each verb with a roomy and, where it matters, a tight limit, and a volume too large for either. Quick: three."""
    data = _data(folder, seeds[0])
    rows, held = [], 0
    commands = _commands(folder, data)
    for name, words, limit in commands[:3] if quick else commands:
        found = _ran([*words, "--memory-limit", f"{limit:g}GB"])
        note = f"exit code {found.code}, {found.wall_s:.0f} s" + (
            f": {found.said}" if found.code in (2, 3) else ""
        )
        rows.append(at_most(f"peak of {name}", found.peak_gb, limit, unit=" GB", note=note))
        held += found.peak_gb <= limit and found.code in ORDERLY
    many = min(3, len(commands)) if quick else len(commands)
    rows.append(Figure("kept and ended in order", f"{held} of {many}", f"{many}", held == many))
    return rows if quick else [*rows, *_timed(folder, data)]


def _data(folder: Path, seed: int) -> dict[str, Path]:
    """Pictures with classes, small volumes with masks, and one volume of 33 MB."""
    made = {
        "pictures": phantom(folder / "pictures", cases=24, seed=seed, size=(16, 64, 64), format="png"),
        "volumes": phantom(folder / "volumes", cases=6, seed=seed, size=(24, 64, 64)),
    }
    large = folder / "large.nii.gz"
    array = np.random.default_rng(seed).integers(-1000, 1000, (1, 160, 320, 320), dtype=np.int16)
    write(Image(array, affine=np.eye(4)), large)
    return {**made, "classes": made["pictures"] / "classes", "large": large}


def _commands(folder: Path, data: dict[str, Path]) -> list[tuple[str, list[str], float]]:
    """Return twenty commands with their limits in GB, each after those whose results it wants."""
    runs, out = folder / "runs", folder / "out"
    pictures, volumes = str(data["classes"]), str(data["volumes"])
    classes, masks = str(runs / "classes"), str(runs / "masks")
    told = [
        ("inspect", ["inspect", pictures], TIGHT),
        ("fit, pictures", ["fit", pictures, "-o", classes, *FIT], ROOMY),
        ("fit, volumes", ["fit", volumes, "-o", masks, "--target", "mask", *FIT], ROOMY),
        ("fit, volumes, tight", ["fit", volumes, "-o", str(runs / "tight"), "--target", "mask", *FIT], TIGHT),
        ("predict, pictures", ["predict", classes, pictures, "-o", str(out / "p")], TIGHT),
        ("predict, volumes", ["predict", masks, volumes, "-o", str(out / "v")], TIGHT),
        ("predict, 320 × 320 × 160", ["predict", masks, str(data["large"]), "-o", str(out / "l")], ROOMY),
        (
            "predict, 320 × 320 × 160, tight",
            ["predict", masks, str(data["large"]), "-o", str(out / "t")],
            TIGHT,
        ),
        ("evaluate", ["evaluate", classes, pictures, "-o", str(out / "e")], TIGHT),
        ("evaluate, volumes", ["evaluate", masks, volumes, "-o", str(out / "ev")], ROOMY),
        ("explain", ["explain", classes, pictures, "-o", str(out / "x")], ROOMY),
        ("features", ["features", classes, pictures, "-o", str(out / "f.csv")], TIGHT),
        ("features, radiomics", ["features", "radiomics", volumes, "-o", str(out / "r.csv")], TIGHT),
        ("calibrate", ["calibrate", classes, pictures, "-o", str(out / "c")], TIGHT),
        ("degrade", ["degrade", classes, pictures, "-o", str(out / "d"), "--by", "noise=5"], TIGHT),
        ("card", ["card", classes, "-o", str(out / "card"), "--data", pictures], TIGHT),
        ("find-lr", ["find-lr", pictures, "-o", str(out / "lr.svg"), "--set", "net.scale=0.25"], ROOMY),
        ("pretrain", ["pretrain", pictures, "-o", str(runs / "pre"), *FIT], ROOMY),
        ("selftest", ["selftest", classes], TIGHT),
        ("phantom", ["phantom", str(out / "made"), "--cases", "4", "--size", "medium"], TIGHT),
    ]
    return [(name, _fits.vesalius(*words), limit) for name, words, limit in told]


def _ran(words: Sequence[str]) -> Ran:
    """Run a command; its peak is what the system counted, of it or of a child of it, when it had ended."""
    began = time.monotonic()
    with subprocess.Popen(
        words, cwd=_record.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        said = ""
        for line in process.stderr or ():
            said = line.strip() or said
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Ran(peak / GB, time.monotonic() - began, process.returncode, said[:200])


def _timed(folder: Path, data: dict[str, Path]) -> list[Figure]:
    """A fit, which plans for its time, and a predict that is ended by it: the share of the limit that each used."""
    limit = f"{TIME_S:g}s"
    fit = _ran(
        [*_fits.vesalius("fit", str(data["classes"]), "-o", str(folder / "timed"), "--time-limit", limit)]
    )
    words = _fits.vesalius("explain", str(folder / "runs" / "masks"), str(data["volumes"]))
    ended = _ran([*words, "-o", str(folder / "ended"), "--time-limit", "15s"])
    share, late = fit.wall_s / TIME_S, ended.wall_s / 15.0
    return [
        at_most("fit, share of its time limit", share, LATE, note=f"exit code {fit.code}"),
        at_least("fit, share of its time limit", share, EARLY),
        at_most("explain, share of its time limit", late, LATE, note=f"exit code {ended.code}: {ended.said}"),
    ]
