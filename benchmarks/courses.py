"""Four classes of time courses without an image, by a GRU and by temporal convolutions, and what stands beside them.

Two fits of 4 minutes at most. What is finished under `runs/benchmarks` is taken again, and what was begun goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import vesalius as vs
from benchmarks import _arms, _beside, _fits, _over_time, _quick
from benchmarks._beside import Beside
from benchmarks._figures import Figure

SECTION = "Sequences and sources"
SOAK = False
SEEDS = (0,)
CASES, TESTED = 800, 300
LIMIT = "4m"
BAR = 0.95  # of the AUC over the four classes
ARMS = (
    _arms.Arm("GRU", ("--set", "net.name=gru")),
    _arms.Arm("TCN", ("--set", "net.name=tcn")),
)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Both arms on one split. Quick: few courses and 20 steps."""
    many, tested = (60, 20) if quick else (CASES, TESTED)
    data = _over_time.kept(folder, "course", cases=many, quick=quick)
    out = folder / "course-runs" if quick else _fits.KEPT / "over-time-course-runs"
    split = _over_time.split(data, out, tested)
    found = _arms.carried_out(
        data / "cohort.csv", ARMS, out, seeds=seeds[:1] if quick else seeds,
        limit=_quick.LIMIT if quick else LIMIT, test_split=not quick,
        options=("--target", "class", "--split", str(split), *(_steps() if quick else ())),
    )  # fmt: skip
    rows = [_held(f) for f in _arms.figures(found, ("auc", "accuracy"))]
    cohort = vs.read(data, target="class")
    training, test = _over_time.parted(cohort.cases, "class", split)
    rivals = _over_time.of_series(training, test, _beside.truths(data), cohort.targets["class"].labels)
    return rows + Beside(training, test).figures("beside", rivals, lambda c: c.targets["class"], ("auc",))


def _held(figure: Figure) -> Figure:
    """Return a mean AUC of a net with the bound that is asked of it."""
    if not figure.what.endswith(": mean auc"):
        return figure
    return Figure(
        figure.what, figure.value, f"≥ {BAR:g}", float(figure.value) >= BAR, figure.seed, figure.note
    )


def _steps() -> tuple[str, ...]:
    return tuple(
        w for s in ("train.steps=20", "train.members=1", "train.validations=1") for w in ("--set", s)
    )
