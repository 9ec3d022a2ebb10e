"""Lesions of known place in a CT phantom of 64 × 128 × 128 voxels: sensitivity at one false box a scan."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick
from benchmarks._figures import Figure, at_least
from vesalius.verbs.phantom import phantom

SECTION = "Boxes, counts, numbers and grades"
SOAK = False
SEEDS = (0,)
LIMIT = "30m"
CASES, DATA_SEED = 60, 13
LEAST_MM, BAR = 10.0, 0.8


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
    table = folder / "cohort.csv"
    if not table.is_file():
        phantom(folder, cases=CASES, seed=DATA_SEED, kind="ct", options={"size": "medium", "lesions": "many"})
    return table


def _sensitivity(run: Path, data: Path) -> tuple[float, int, str] | None:
    """Return which share of the large lesions is found at one false box a scan, of how many, in words for all sizes.

    A box finds a lesion that it overlaps by .1. False is one that finds none, large or small.
    """
    from vesalius import cohorts
    from vesalius.answers.boxes import overlap
    from vesalius.core.bundle import open_bundle
    from vesalius.core.cohort import load_assignment
    from vesalius.infer.predictor import Predictor

    tested = set(load_assignment(run / "folds.json").test)
    cohort = cohorts.read(data)
    target = next(name for name, info in cohort.targets.items() if info.kind == "boxes")
    sizes = _diameters(data.parent / "boxes.csv")
    predictor = Predictor(open_bundle(run / "bundle"), device="cpu")
    sure: list[float] = []  # of false boxes
    best: list[tuple[float, float]] = []  # of each lesion its diameter, and the surest box that finds it
    cases = [c for c in cohort.cases if c.id in tested]
    for case in cases:
        answer, truths = predictor(case), list(case.targets[target])
        found = [0.0] * len(truths)
        for box, p in zip(answer.boxes, answer.p.tolist(), strict=True):
            fit = [overlap(box, t) for t in truths]
            hit = [k for k, f in enumerate(fit) if f >= 0.1]
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
