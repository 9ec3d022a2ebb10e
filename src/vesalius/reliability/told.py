"""How well a class or a number is told from features, out of fold by patient, with an interval over patients."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.core.words import counted
from vesalius.metrics import bounds, rank_auc, resample
from vesalius.reliability.plain_models import FOLDS, dealt, discriminants, out_of_fold, ridge

RESAMPLES = 500
Change = Callable[[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Told:
    """How well classes are told: the mean of each one's AUC against the others, and the share that is called rightly.

    `chance` is the accuracy of always calling the most frequent one. `classes` are in order of their names.
    """

    auc: Interval
    accuracy: Interval
    chance: float
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Guessed:
    """How far off a number is that is told from features (`mae`, in its own unit), and how far off the mean is."""

    mae: Interval
    mean_only: float


def told(
    features: Array,
    classes: Sequence[str],
    patients: Sequence[Hashable],
    *,
    seed: int = 0,
    change: Change | None = None,
) -> Told:
    """Return how well the classes are told from `features` `(N, F)` by shrunk linear discriminants.

    Raises DataError where there are not two classes of at least two patients.
    """
    names = sorted(set(classes))
    truth = np.array([names.index(c) for c in classes])
    many = [len({p for p, t in zip(patients, truth, strict=True) if t == k}) for k in range(len(names))]
    if len(names) < 2 or min(many) < 2:
        raise DataError(
            "to tell classes apart takes two of them, each of at least two patients",
            found=", ".join(f"{n}: {m}" for n, m in zip(names, many, strict=True)) or "no case",
        )
    fold = dealt(patients, truth.tolist(), folds=min(FOLDS, *many), seed=seed)
    p = out_of_fold(features, fold, discriminants(len(names)), truth, change=change)
    right = p.argmax(axis=1) == truth

    def area(index: Array) -> float:
        each = [rank_auc(p[index, k], truth[index] == k) for k in range(len(names))]
        known = [a for a in each if np.isfinite(a)]
        return float(np.mean(known)) if known else float("nan")

    drawn = resample(patients, np.random.default_rng(seed), RESAMPLES)
    every = np.arange(len(truth))
    n = len(truth)
    auc = bounds(area(every), np.array([area(i) for i in drawn]), n)
    accuracy = bounds(float(right.mean()), np.array([float(right[i].mean()) for i in drawn]), n)
    return Told(auc, accuracy, float(np.bincount(truth).max() / n), tuple(names))


def guessed(
    features: Array,
    numbers: Sequence[float],
    patients: Sequence[Hashable],
    *,
    seed: int = 0,
    change: Change | None = None,
) -> Guessed:
    """Return how far off ridge regression is from `numbers`, out of fold. Raises DataError for too few patients."""
    truth = np.asarray(numbers, np.float64)
    if len(set(patients)) < 2 * FOLDS:
        raise DataError(
            f"a number is guessed out of fold from {2 * FOLDS} patients on",
            found=counted(len(set(patients)), "patient"),
        )
    fold = dealt(patients, [0] * len(truth), seed=seed)
    off = np.abs(out_of_fold(features, fold, ridge, truth, change=change) - truth)
    mean = np.array([truth[fold != k].mean() for k in fold])
    drawn = resample(patients, np.random.default_rng(seed), RESAMPLES)
    mae = bounds(float(off.mean()), np.array([float(off[i].mean()) for i in drawn]), len(truth))
    return Guessed(mae, float(np.abs(mean - truth).mean()))
