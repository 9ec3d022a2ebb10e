"""A gap between groups that lies in the images: whether choosing, drawing or calling by group narrows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _fair_settings as settings
from benchmarks._figures import Figure
from vesalius.core.bundle import Bundle
from vesalius.core.image import Array
from vesalius.infer.predictor import Predictor
from vesalius.metrics import scores
from vesalius.phantom import spots

SECTION = "Accuracy"
SOAK = False
SEEDS = settings.SEEDS
FRESH = 1000  # new patients that every trained model answers
SMALL: dict[str, Any] = {
    "net.scale": 0.125,
    "data.size": [1, 28, 28],
    "augment.mixup": 0.0,
    "train.steps": 200,
    "train.batch": 16,
    "train.members": 1,
    "train.threads": 1,
    "train.by": "sex",
}
ARMS: dict[str, dict[str, Any]] = {
    "default": {
        "train.group_thresholds": "sensitivity"
    },  # the same weights; its pooled thresholds are the default
    "select=best": {"train.select": "best"},
    "select=worst_group": {"train.select": "worst_group"},
    "balance_groups": {"train.balance_groups": True},
}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Train each arm on the same data, a seed at a time. Quick: one seed and few steps."""
    rows: list[Figure] = []
    cases, fresh, steps = (260, 60, 4) if quick else (settings.CASES, FRESH, SMALL["train.steps"])
    if quick:
        arms = {name: ARMS[name] for name in ("default", "balance_groups")}
    else:
        arms = ARMS
    phantoms = {"a planted gap": settings.GAP, "no gap": settings.EVEN}
    for name, phantom in list(phantoms.items())[: 1 if quick else 2]:
        found: dict[str, list[dict[str, float]]] = {}
        for seed in seeds[:1] if quick else seeds if name == "a planted gap" else seeds[:2]:
            data = vs.phantom(
                folder / f"{name}-{seed}", kind="spots", cases=cases, seed=seed, options=phantom
            )
            for arm, options in arms.items() if name == "a planted gap" else list(arms.items())[:1]:
                out = folder / f"{name}-{seed}-{arm.replace('=', '-')}"
                fitted = vs.fit(
                    data,
                    out,
                    seed=seed,
                    by=(),
                    settings={**SMALL, **options, "train.steps": steps},
                    progress=False,
                )
                assert fitted.bundle is not None
                for kind, bundle in _calibrated(arm, fitted.bundle):
                    found.setdefault(kind, []).append(_measured(bundle, phantom, fresh, seed))
        rows += _arms(name, found)
    return rows


def _calibrated(arm: str, bundle: Bundle) -> list[tuple[str, Bundle]]:
    """Return the bundle under the name of its arm, and without its groups' thresholds where it has any."""
    stage = bundle.stages[-1]
    if "groups" not in stage.calibration:
        return [(arm, bundle)]
    pooled = {k: v for k, v in stage.calibration.items() if k != "groups"}
    plain = replace(bundle, stages=(*bundle.stages[:-1], replace(stage, calibration=pooled)))
    return [(arm, plain), ("group_thresholds=sensitivity", bundle)]


def _measured(bundle: Bundle, phantom: dict[str, float], fresh: int, seed: int) -> dict[str, float]:
    """Return the figures of a bundle on patients that nobody has seen."""
    predictor = Predictor(bundle, device="cpu")
    made = [spots.patient(k, 1000 + seed, **phantom) for k in range(fresh)]  # type: ignore[arg-type]
    answers: list[Any] = []
    for k in range(0, fresh, 50):
        answers += predictor.together([m.as_case() for m in made[k : k + 50]])
    rows = scores.rows(answers, ["spot" if m.spot else "none" for m in made])
    every: Array = np.arange(fresh)
    at = {sex: np.array([k for k, m in enumerate(made) if m.sex == sex]) for sex in "FM"}
    one = {sex: scores.summary(rows, index) for sex, index in at.items()}
    whole = scores.summary(rows, every)
    return {
        "AUC of all": whole["auc"],
        "AUC of the worst group": min(o["auc"] for o in one.values()),
        "gap in AUC": abs(one["F"]["auc"] - one["M"]["auc"]),
        "balanced accuracy of all": whole["balanced_accuracy"],
        "sensitivity of the worst group": min(o["recall"] for o in one.values()),
        "gap in sensitivity": abs(one["F"]["recall"] - one["M"]["recall"]),
    }


def _arms(name: str, found: dict[str, list[dict[str, float]]]) -> list[Figure]:
    """Return each arm's figures, and their paired difference to the default with Student's interval over the seeds."""
    rows = []
    for arm, measured in found.items():
        shown = (
            measured[0]
            if arm != "group_thresholds=sensitivity"
            else [n for n in measured[0] if "AUC" not in n]
        )
        for figure in shown:
            values = np.array([m[figure] for m in measured])
            note = (
                "" if arm == "default" else _paired(values, np.array([m[figure] for m in found["default"]]))
            )
            rows.append(
                Figure(
                    f"{name}, {arm}: {figure}",
                    f"{values.mean():.3f}",
                    seed=f"{len(values)} seeds",
                    note=note or f"{values.min():.3f} to {values.max():.3f} over the seeds",
                )
            )
    return rows


def _paired(values: Array, default: Array) -> str:
    from scipy.stats import t

    change = values - default
    if len(change) < 2:
        return f"{change.mean():+.3f} to the default"
    half = float(t.ppf(0.975, len(change) - 1) * change.std(ddof=1) / math.sqrt(len(change)))
    low, high = change.mean() - half, change.mean() + half
    told = "better or worse" if low > 0 or high < 0 else "undecided"
    word = {True: "higher", False: "lower"}[change.mean() > 0] if told != "undecided" else told
    return f"{change.mean():+.3f} ({low:+.3f} to {high:+.3f}) to the default, paired by seed: {word}"
