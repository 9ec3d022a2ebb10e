"""Labels in a random order: the data of a run whose cases exchanged their labels, so that there is nothing to learn."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.plan import Plan
from vesalius.run.finished import TOLD, Run

FOLDER = "randomised-labels"  # in the run's folder
SETTINGS: dict[str, Any] = {  # one member, and nothing that keeps it from learning the labels by heart
    "train.members": 1,
    "augment.probability": 0.0,
    "augment.mixup": 0.0,
    "net.dropout": 0.0,
}


def place(run: Run) -> Path:
    """Return where the model of labels in a random order lies, or will lie. Raises DataError for a dry run."""
    if run.path is None:
        raise DataError("a dry run has no folder", hint="fit without dry_run")
    return run.path / FOLDER


def shuffled(run: Run) -> Cohort:
    """Return the data of a run with the values of its target dealt to other cases, by the run's seed.

    Images, covariates and other targets stay with their cases (Adebayo et al. 2018: the data randomisation test).
    Raises DataError where the data are not where they were, or what is drawn on images would have to change places.
    """
    told: dict[str, Any] = json.loads((place(run).parent / TOLD).read_text(encoding="utf-8"))
    data, target = Path(str(told.get("data", ""))), run.plan.task.target or ""
    if not told.get("data") or not data.exists():
        raise DataError(
            "the data that this run learned from are not where they were",
            found=str(data),
            hint="--against with a bundle that learned from labels in a random order",
        )
    cohort = cohorts.open_cohort(
        data,
        layout=told.get("layout"),
        target=target or None,
        columns=told.get("columns"),
        split=told.get("split"),
        labels=told.get("labels"),
        max_set_aside=float(told.get("max_set_aside", 0.1)),
    )
    info = cohort.targets.get(target)
    if info is None or kinds.of(info.kind).drawn:
        raise DataError(
            "labels in a random order need a target whose values can change places between images",
            found=f"'{target}', which is drawn on each image" if info else "no target",
            hint="the test with shuffled weights, which every map has, stands without it",
        )
    return _dealt(cohort, target, int(told.get("seed") or 0))


def settings(plan: Plan) -> dict[str, Any]:
    """Return what is planned otherwise than in the run."""
    return {**SETTINGS, "train.folds": max(2, plan.train.folds)}


def _dealt(cohort: Cohort, target: str, seed: int) -> Cohort:
    """Return a cohort whose values of a target are those of other cases, with a hash of its own."""
    held = [k for k, case in enumerate(cohort.cases) if target in case.targets]
    order = np.random.default_rng(seed).permutation(len(held))
    values = {held[k]: cohort.cases[held[int(other)]].targets[target] for k, other in enumerate(order)}
    cases = tuple(
        replace(case, targets={**case.targets, target: values[k]}) if k in values else case
        for k, case in enumerate(cohort.cases)
    )
    mark = hashlib.sha256(f"{cohort.hash} {target} in random order {seed}".encode()).hexdigest()
    return replace(cohort, cases=cases, hash=mark)
