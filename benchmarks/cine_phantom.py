"""Ejection fraction of a phantom's cines: a recurrent and a convolutional net over time, and what stands beside them.

Three fits of 10 minutes at most: over time by a GRU, by temporal convolutions, and of the middle frame alone. What is
finished under `runs/benchmarks` is taken again, and what was begun goes on.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import vesalius as vs
from benchmarks import _arms, _beside, _fits, _over_time, _quick
from benchmarks._beside import Beside
from benchmarks._figures import Figure
from vesalius.core.case import Case
from vesalius.phantom.common.output import put
from vesalius.phantom.common.picture import png
from vesalius.prepare.case import load_reference

SECTION = "Sequences and sources"
SOAK = True
SEEDS = (0,)
CASES, TESTED = 800, 300
LIMIT = "10m"
BAR = 4.0  # points of the ejection fraction, of each net over time
TARGET = "ejection_fraction"
OVER = (
    _arms.Arm("recurrent: GRU", ("--set", "nets.time.name=gru")),
    _arms.Arm("convolutional: TCN", ("--set", "nets.time.name=tcn")),
)
ALONE = _arms.Arm("the middle frame alone", ("--set", "data.size=[1,64,64]"))
TINY = ("--set", "data.size=[1,32,32]", "--set", "net.name=cnn", *_quick.OPTIONS)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Every arm on one split. Quick: few small cines and 20 steps."""
    many, tested = (30, 10) if quick else (CASES, TESTED)
    options = {"size": 32, "frames": 24} if quick else None
    data = _over_time.kept(folder, "cine", cases=many, options=options, quick=quick)
    out = folder / "cine-runs" if quick else _fits.KEPT / "over-time-cine-runs"
    split = _over_time.split(data, out, tested)
    table, middle = data / "cohort.csv", _middles(data)
    asked = ("--target", TARGET, "--split", str(split), "--init", "none")
    found = {}
    for source, arms in ((table, OVER), (middle, (ALONE,))):
        found |= _arms.carried_out(
            source, [_tiny(arm) for arm in arms] if quick else arms, out, seeds=seeds[:1] if quick else seeds,
            limit=_quick.LIMIT if quick else LIMIT, options=asked, test_split=not quick,
        )  # fmt: skip
    rows = [_held(f) for f in _arms.figures(found, ("mae", "r2"))]
    for arm in OVER:
        less = _arms.difference(found[ALONE.name], found[arm.name], "mae")
        rows.append(
            Figure(f"{arm.name} less the middle frame alone: mae", _fits.interval(less), note="paired")
        )
    cohort = vs.read(table, target=TARGET)
    training, test = _over_time.parted(cohort.cases, TARGET, split)
    rivals = _over_time.of_cines(training, test, _beside.truths(data))
    return rows + Beside(training, test).figures("beside", rivals, lambda c: c.targets[TARGET], ("mae", "r2"))


def _tiny(arm: _arms.Arm) -> _arms.Arm:
    """Return an arm of a quick try: what is over time as it is, and all else small."""
    over = [word for word in arm.options if word.startswith("nets.")]
    frames = ("--set", "sources.frames=6") if over else ()
    return _arms.Arm(arm.name, (*TINY, *frames, *(w for word in over for w in ("--set", word))))


def _held(figure: Figure) -> Figure:
    """Return a mean error of a net over time with the bound that is asked of it."""
    if not any(figure.what == f"{arm.name}: mean mae" for arm in OVER):
        return figure
    return Figure(
        figure.what, figure.value, f"≤ {BAR:g}", float(figure.value) <= BAR, figure.seed, figure.note
    )


def _middles(data: Path) -> Path:
    """Return a table of the same cases with the middle frame as their only picture."""
    path = data / "middle.csv"
    if path.is_file():
        return path
    with (data / "cohort.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = {case.id: case for case in vs.read(data / "cohort.csv", target=TARGET).cases}
    for row in rows:
        row["image"] = f"middle/{row['case']}.png"
        put(data / row["image"], png(_middle(known[row["case"]])))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _middle(case: Case) -> np.ndarray:
    array = load_reference(case).array
    return np.asarray(array[len(array) // 2, 0, 0])
