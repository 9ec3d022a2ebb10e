"""Phantoms with time, without any model: oracles, trivial answers, and what perfect measurements of a part tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import vesalius as vs
from benchmarks import _beside, _over_time
from benchmarks._beside import Beside, Rivals
from benchmarks._figures import Figure
from vesalius.core.case import Case
from vesalius.core.cohort import Label

SECTION = "Sequences and sources"
SOAK = False
SEEDS = (0,)
CASES, TESTED = 800, 400
Asked = Callable[[list[Case], list[Case], dict[str, _beside.Truth], Sequence[Label]], Rivals]
QUESTIONS: dict[str, tuple[str, str, Asked]] = {  # by the phantom: its target, the figure, and the answers
    "cine": ("ejection_fraction", "mae", lambda a, b, known, _: _over_time.of_cines(a, b, known)),
    "dynamic": ("class", "auc", _over_time.of_livers),
    "visits": ("onset_2y", "auc", _over_time.of_eyes),
    "course": ("class", "auc", _over_time.of_series),
}
SMALL = {"cine": {"size": 32}, "dynamic": {"size": 32}, "visits": {"size": 32}}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Each phantom, half of its cases tested on. Quick: few small cases."""
    rows = []
    for kind, (target, figure, asked) in QUESTIONS.items():
        many, tested = (48, 24) if quick else (CASES, TESTED)
        data = _over_time.kept(
            folder, kind, cases=many, options=SMALL.get(kind) if quick else None, quick=quick
        )
        cohort = vs.read(data / "cohort.csv", target=target)
        split = _over_time.split(data, folder / f"{kind}-split", tested)
        training, test = _over_time.parted(cohort.cases, target, split)
        rivals = asked(training, test, _beside.truths(data), cohort.targets[target].labels)
        beside = Beside(training, test)
        rows += beside.figures(kind, rivals, lambda c, t=target: c.targets[t], (figure,))  # type: ignore[misc]
    return rows
