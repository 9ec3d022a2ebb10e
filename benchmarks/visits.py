"""Onset within two years from a phantom's visits: a model that sees the earlier ones against one that sees the last.

Two fits of 8 minutes at most, the same but for what is seen. What is finished under `runs/benchmarks` is taken again,
and what was begun goes on.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import vesalius as vs
from benchmarks import _arms, _beside, _fits, _over_time, _quick
from benchmarks._beside import Beside
from benchmarks._figures import Figure

SECTION = "Sequences and sources"
SOAK = True
SEEDS = (0,)
CASES, TESTED = 1000, 300  # patients
LIMIT = "8m"
TARGET = "onset_2y"
EARLIER, LAST = _arms.Arm("all visits"), _arms.Arm("the last visit alone")
TINY = ("--set", "data.size=[1,32,32]", "--set", "net.name=cnn", *_quick.OPTIONS)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Both arms on one split. Quick: few small pictures and 20 steps."""
    many, tested = (40, 16) if quick else (CASES, TESTED)
    data = _over_time.kept(folder, "visits", cases=many, options={"size": 32} if quick else None, quick=quick)
    out = folder / "visits-runs" if quick else _fits.KEPT / "over-time-visits-runs"
    split = _over_time.split(data, out, tested)
    found = {}
    for table, arm in ((data / "cohort.csv", EARLIER), (_lasts(data), LAST)):
        asked = ("--target", TARGET, "--split", str(_of(split, table)), "--init", "none")
        found |= _arms.carried_out(
            table, [_arms.Arm(arm.name, TINY)] if quick else [arm], out, seeds=seeds[:1] if quick else seeds,
            limit=_quick.LIMIT if quick else LIMIT, options=asked, test_split=not quick,
        )  # fmt: skip
    rows = _arms.figures(found, ("auc", "accuracy"))
    gain = _arms.difference(found[LAST.name], found[EARLIER.name], "auc")
    rows.append(
        Figure(
            "all visits less the last visit alone: auc",
            _fits.interval(gain),
            "low end > 0",
            gain.low is not None and gain.low > 0,
            note=f"paired by patient, n {gain.n}",
        )
    )
    cohort = vs.read(data / "cohort.csv", target=TARGET)
    training, test = _over_time.parted(cohort.cases, TARGET, split)
    rivals = _over_time.of_eyes(training, test, _beside.truths(data), cohort.targets[TARGET].labels)
    return rows + Beside(training, test).figures("beside", rivals, lambda c: c.targets[TARGET], ("auc",))


def _lasts(data: Path) -> Path:
    """Return a table of the last visit of each patient, without its day."""
    path = data / "last.csv"
    with (data / "cohort.csv").open(newline="", encoding="utf-8") as file:
        rows = [{k: v for k, v in row.items() if k != "days"} for row in csv.DictReader(file) if row[TARGET]]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _of(split: Path, table: Path) -> Path:
    """Return the split of the cases of a table."""
    with table.open(newline="", encoding="utf-8") as file:
        there = {row["case"] for row in csv.DictReader(file)}
    path = split.with_name(f"split-{table.stem}.csv")
    lines = split.read_text(encoding="utf-8").splitlines()
    kept = [lines[0], *(line for line in lines[1:] if line.partition(",")[0] in there)]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return path
