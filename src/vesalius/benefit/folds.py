"""Folds of a trial: each arm and each end shared out evenly, so that no fold lacks one."""

from __future__ import annotations

import numpy as np

from vesalius.benefit.trial import Trial
from vesalius.core.image import Array


def assign(trial: Trial, folds: int, rng: np.random.Generator) -> Array:
    """Return the fold of each patient, `(N,)`, from 0: at random, evenly over arms and over who had the event."""
    group = trial.arm * 2 + trial.observed.happened
    order = np.lexsort([rng.random(len(trial)), group])
    fold = np.zeros(len(trial), np.int64)
    fold[order] = np.arange(len(trial)) % folds
    return fold
