"""Lesions of known place in a CT phantom of 64 × 128 × 128 voxels: sensitivity at one false box a scan."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import _fits, _quick
from benchmarks._figures import Figure, at_least
from vesalius import cohorts
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Box
from vesalius.infer.predictor import Predictor
from vesalius.verbs.phantom import phantom

SECTION = "Boxes, counts, numbers and grades"
SOAK = False
SEEDS = (0,)
LIMIT = "30m"
CASES, DATA_SEED = 60, 13
LEAST_MM, BAR = 10.0, 0.8
OVERLAP = 0.1  # intersection over union from which a box has found a lesion


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed on the same phantom, resumed where it was interrupted. Quick: ten small volumes."""
    data = _quick.lesions(folder) if quick else _scans(_fits.KEPT / "nodules-data")
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        done = _fits.resumed(
            data,
            folder / f"quick-{seed}" if quick else Path(f"nodules-{seed}"),
            limit=_quick.LIMIT if quick else LIMIT,
            seed=seed,
            options=("--target", "boxes", *(_quick.OPTIONS if quick else ())),
            test_split=not quick,
        )
        found = _sensitivity(done.run, data)
        if found is not None:
            value, n, told = found
            what = f"sensitivity at 1 false box a scan, lesions of {LEAST_MM:g} mm and more"
            rows.append(at_least(what, value, BAR, seed=str(seed), note=f"n {n}; {told}"))
        names = ("sensitivity_at_1", "froc", "ap10", "ap50", "false_per_image", "sensitivity")
        rows += [*_fits.beside(done, names, seed), _fits.wall(done, seed)]
    return rows


def _scans(folder: Path) -> Path:
    """Make the phantom once: its parameters are those of this file and of the phantom alone."""
    if not (folder / "cohort.csv").is_file():
        phantom(folder, cases=CASES, seed=DATA_SEED, kind="ct", options={"size": "medium", "lesions": "many"})
    return folder


def _sensitivity(run: Path, data: Path) -> tuple[float, int, str] | None:
    """Return which share of the large lesions is found at one false box a scan, of how many, in words for all sizes.

    False is a box that finds no lesion, large or small; at one a scan the surest so many of them are let in.
    """
    tested = set(cohorts.load_assignment(run / "folds.json").test)
    cohort = cohorts.read(data)
    target = next(name for name, info in cohort.targets.items() if info.kind == "boxes")
    sizes = _diameters(data / "boxes.csv")
    predictor = Predictor(open_bundle(run / "bundle"), device="cpu")
    sure: list[float] = []  # of false boxes
    best: list[tuple[float, float]] = []  # of each lesion its diameter, and the surest box that finds it
    cases = [c for c in cohort.cases if c.id in tested]
    for case in cases:
        answer, truths = predictor(case), list(case.targets[target])
        found = [0.0] * len(truths)
        for box, p in zip(answer.boxes, answer.p.tolist(), strict=True):
            hit = [k for k, t in enumerate(truths) if _overlap(box, t) >= OVERLAP]
            for k in hit:
                found[k] = max(found[k], p)
            if not hit:
                sure.append(p)
        best += [(sizes[(case.id, *t.low)], p) for t, p in zip(truths, found, strict=True)]
    if not cases or not best:
        return None
    allowed = sorted(sure, reverse=True)[len(cases) : len(cases) + 1]
    at = allowed[0] if allowed else 0.0
    large = [p > at for mm, p in best if mm >= LEAST_MM]
    every = [p > at for _, p in best]
    told = f"of all sizes {sum(every)} of {len(every)}, {len(cases)} scans"
    return (sum(large) / len(large) if large else 0.0), len(large), told


def _diameters(table: Path) -> dict[tuple[object, ...], float]:
    """Return the diameter of each lesion in mm, by its case and the low corner of its box."""
    with table.open(newline="", encoding="utf-8") as f:
        return {
            (r["case"], float(r["z0"]), float(r["y0"]), float(r["x0"])): float(r["diameter_mm"])
            for r in csv.DictReader(f)
        }


def _overlap(one: Box, other: Box) -> float:
    low, high = np.maximum(one.low, other.low), np.minimum(one.high, other.high)
    both = float(np.clip(high - low, 0, None).prod())
    sizes = [float(np.subtract(box.high, box.low).prod()) for box in (one, other)]
    return both / (sum(sizes) - both)
