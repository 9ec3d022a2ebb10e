"""What figures of boxes cost on a large cohort, and how far average precision is from faster-coco-eval's."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import _record
from benchmarks._figures import Figure, at_most
from vesalius.core.answers.boxes import Boxes
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.metrics import boxes as judge

SECTION = "Boxes, counts, numbers and grades"
SOAK = False
SEEDS = (0,)
CASES, CANDIDATES, LABELS = 1000, 100, 3
RESAMPLES = 1000
BOUND_S = 10.0  # for a thousand resamples of the usual cohort, on one core


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Seconds of processor time to match and to resample, with ten and with a hundred true boxes a case."""
    cases, resamples = (60, 10) if quick else (CASES, RESAMPLES)
    found = []
    for true in (10, CANDIDATES):
        matched, resampled = _seconds(cases, true, resamples, seeds[0])
        what = f"{cases} cases of {CANDIDATES} candidates and {true} true boxes"
        found.append(Figure(f"{what}: matching", f"{matched:.2f} s"))
        bound = at_most(f"{what}: {resamples} resamples", resampled, BOUND_S, unit=" s", digits=2)
        found.append(bound)
    return [*found, *_against_coco(2 if quick else 40)]


def _seconds(cases: int, true: int, resamples: int, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    labels = tuple(Label(k, f"label{k}") for k in range(LABELS))
    answers, truths = [], []
    for k in range(cases):
        corner, size = rng.random((CANDIDATES, 2)) * 1000, rng.random((CANDIDATES, 2)) * 40 + 20
        names = [f"label{n}" for n in rng.integers(0, LABELS, CANDIDATES)]
        moved = corner + rng.normal(0, 3, corner.shape)
        truths.append([_box(corner[n], size[n], names[n]) for n in range(true)])
        boxes = tuple(_box(moved[n], size[n], names[n]) for n in range(CANDIDATES))
        answers.append(Boxes(boxes=boxes, p=rng.random(CANDIDATES), labels=labels, case_id=str(k)))
    began = time.process_time()
    rows = judge.rows(answers, truths)
    matched = time.process_time() - began
    drawn = [rng.integers(0, cases, cases) for _ in range(resamples)]
    began = time.process_time()
    for index in drawn:
        judge.summary(rows, index)
    return matched, time.process_time() - began


def _against_coco(seeds: int) -> list[Figure]:
    """The largest difference from faster-coco-eval on random and adversarial cohorts of the tests."""
    what = "average precision against faster-coco-eval: largest difference"
    if importlib.util.find_spec("faster_coco_eval") is None:
        return [Figure(what, "not measured", note="faster-coco-eval is not installed")]
    sys.path.insert(0, str(_record.ROOT / "tests" / "metrics"))
    from _coco_cases import SORTS, by_coco, cohort

    far, many = 0.0, 0
    for sort in SORTS:
        for seed in range(100, 100 + seeds):
            made = cohort(sort, seed)
            ours = judge.summary(judge.rows(*made[:2]), np.arange(len(made[0])))
            theirs = by_coco(made)
            far, many = max([far, *(abs(ours[n] - v) for n, v in theirs.items())]), many + 1
    return [at_most(what, far, 1e-6, digits=17, note=f"{many} cohorts: {', '.join(SORTS)}")]


def _box(corner: Sequence[float], size: Sequence[float], name: str) -> Box:
    y, x = (float(v) for v in corner)
    return Box((0.0, y, x), (1.0, y + float(size[0]), x + float(size[1])), name)
