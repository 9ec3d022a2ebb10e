"""Promised coverage over 20 redraws of a model's calibration cases: classes, numbers, masks; overall and by site."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _planted
from benchmarks._figures import Figure, at_least
from vesalius import cohorts
from vesalius.answers import contract
from vesalius.core.groups import grouping
from vesalius.evaluate import conformal
from vesalius.evaluate.promising import judge
from vesalius.infer.predictor import Predictor

SECTION = "Trust"
SOAK = False
SEEDS = (0,)
COVERAGE = 0.9
REDRAWS = 20
INSIDE = 16  # of 20 redraws: fewer lie within a 95 % interval in 0.26 of 100 tries if the law holds, of 8 rows in 2.1
MANY = 1000  # redraws of the same scores, of which a share of 0.95 or more is to lie within, but for 0.02 of chance
TRAIN, POOL = 300, 700
TARGETS = {"class": "lac", "radius_px": "absolute", "mask": "voxels"}
SETTINGS = {
    "net.scale": 0.25, "train.steps": 250, "train.batch": 16, "train.members": 1, "train.threads": 1,
    "train.validations": 2,
}  # fmt: skip


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A model for each kind of answer on planted pictures, then redraws of its calibration cases."""
    train = _planted.make(folder / "train", 60 if quick else TRAIN, seed=1)
    pool = _planted.make(folder / "pool", 160 if quick else POOL, seed=2, first=10_000)
    rows: list[Figure] = []
    for target, way in TARGETS.items():
        settings = SETTINGS | ({"net.scale": 0.125, "train.steps": 12, "train.batch": 4} if quick else {})
        made = vs.fit(
            train, folder / target, target=target, settings=settings, seed=seeds[0], folds=2, progress=False
        )
        rows += _redrawn(made, pool, target, way)
    return rows


def _redrawn(made: vs.Run, pool: Path, target: str, way: str) -> list[Figure]:
    """Answer the pool once, then share it out between calibration and evaluation 20 times."""
    assert made.bundle is not None
    cohort = cohorts.open_cohort(pool, target=target)
    predictor = Predictor(made.bundle, device="cpu", levels=True)
    learned = str(made.plan.task.target)
    handling = contract.of(predictor.stages[-1].task.answer)
    strange = []
    for case in cohort.cases:
        truth = handling.truth(case.targets[learned], case)
        strange.append(judge(predictor(case), truth, way).strange)
    sites = grouping(cohort.cases, "site")
    groups = [sites.of(case) or "" for case in cohort.cases]
    curves = any(isinstance(value, np.ndarray) for one in strange for value in one.values())
    return (_missed if curves else _covered)(target, strange, groups)


def _drawn(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return ways to share out `n` cases, half of them to calibrate on: the 20, and then many more."""
    rng = np.random.default_rng(7)
    orders = [rng.permutation(n) for _ in range(REDRAWS + MANY)]
    return [(order[: n // 2], order[n // 2 :]) for order in orders]


def _covered(target: str, strange: Sequence[conformal.Strange], groups: Sequence[str]) -> list[Figure]:
    """Return how often the truth was within the threshold, overall and by site."""
    scores = np.array([float(one[""]) for one in strange])
    site = np.array(groups)
    overall: list[tuple[float, bool]] = []
    own: dict[str, list[tuple[float, bool]]] = {}
    pooled: dict[str, list[float]] = {}
    for first, second in _drawn(len(scores)):
        found = conformal.fit([strange[i] for i in first], COVERAGE, groups=[groups[i] for i in first])
        at = found.pooled.at[""]
        overall.append(_one(scores[second], at, len(first)))
        for name in sorted(set(groups)):
            inside = second[site[second] == name]
            pooled.setdefault(name, []).append(float((scores[inside] <= at).mean()))
            if name in found.groups:
                one = found.groups[name]
                own.setdefault(name, []).append(_one(scores[inside], one.at[""], one.n[""]))
    half = len(scores) - len(scores) // 2
    rows = [
        _row(f"{target}, all sites", overall, f"{len(scores) // 2} to calibrate on, {half} to measure on")
    ]
    rows += [
        _row(f"{target}, site {name}, thresholds of its own", draws, "Mondrian")
        for name, draws in own.items()
    ]
    rows += [
        Figure(
            f"{target}, site {name}, thresholds of all sites",
            f"{np.mean(shares):.3f}",
            note="promised of no site",
        )
        for name, shares in pooled.items()
    ]
    return rows


def _one(scores: np.ndarray, at: float, calibrated: int) -> tuple[float, bool]:
    """Return the share that is covered, and whether it lies in the 95 % interval of its beta-binomial law."""
    low, high = conformal.expected(len(scores), coverage=COVERAGE, calibrated=calibrated)
    share = float((scores <= at).mean())
    return share, low - 1e-9 <= share <= high + 1e-9


def _row(what: str, draws: Sequence[tuple[float, bool]], note: str) -> Figure:
    first, more = draws[:REDRAWS], draws[REDRAWS:]
    shares, inside = [share for share, _ in first], sum(held for _, held in first)
    note = f"{note}; mean of {len(first)} redraws {np.mean(shares):.3f}, from {min(shares):.3f} to {max(shares):.3f}"
    if more:
        often = np.mean([held for _, held in more])
        note += (
            f"; of {len(more)} further ones {often:.3f} lie within, mean {np.mean([s for s, _ in more]):.3f}"
        )
    return at_least(
        f"{what}: redraws within the beta-binomial 95 % interval of {COVERAGE:g}",
        inside,
        INSIDE,
        digits=0,
        note=note,
    )


def _missed(target: str, strange: Sequence[Mapping[str, Any]], groups: Sequence[str]) -> list[Figure]:
    """Return the mean share of voxels that the outer mask misses, overall and by site."""
    rows = []
    names = sorted({name for one in strange for name in one})
    lost: dict[tuple[str, str], list[float]] = {}
    plain: dict[str, list[float]] = {}
    for first, second in _drawn(len(strange))[:REDRAWS]:
        found = conformal.fit([strange[i] for i in first], COVERAGE, groups=[groups[i] for i in first])
        for name in names:
            every = [i for i in second if name in strange[i]]
            lost.setdefault((name, "all sites"), []).append(
                _mean(strange, every, name, found.pooled.at[name])
            )
            plain.setdefault(name, []).append(_mean(strange, every, name, math.nan))
            for site, one in found.groups.items():
                inside = [i for i in every if groups[i] == site]
                where = (name, f"site {site}, thresholds of its own")
                lost.setdefault(where, []).append(_mean(strange, inside, name, one.at[name]))
    for (name, where), shares in lost.items():
        mean, error = float(np.mean(shares)), float(np.std(shares, ddof=1)) / math.sqrt(len(shares))
        low = mean - 1.96 * error
        note = f"mean of {len(shares)} redraws, from {min(shares):.3f} to {max(shares):.3f}; "
        note += f"the mask itself misses {np.mean(plain[name]):.3f} over all sites"
        said = f"{mean:.3f} [{low:.3f}, {mean + 1.96 * error:.3f}]"
        what = f"{target} {name}, {where}: mean share of true voxels missed"
        rows.append(Figure(what, said, f"≤ {1 - COVERAGE:.2g}", low <= 1 - COVERAGE, "", note))
    return rows


def _mean(strange: Sequence[Mapping[str, Any]], cases: Sequence[int], name: str, at: float) -> float:
    """Return the mean loss at a threshold; without one that of the mask itself."""
    if math.isinf(at):
        return 0.0
    place = -1 if math.isnan(at) else int(at)
    return float(np.mean([strange[i][name][place] for i in cases]))
