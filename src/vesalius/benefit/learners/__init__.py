"""Learners of benefit: one file a way of learning what each arm would bring a patient."""

from __future__ import annotations

import numpy as np

from vesalius.benefit.learners.contract import Learned
from vesalius.benefit.measure import Measure
from vesalius.benefit.trial import Trial
from vesalius.core.registry import lookup

KIND = "benefit.learners"
USUAL = "interaction"


def learn(trial: Trial, measure: Measure, *, name: str = USUAL, rng: np.random.Generator) -> Learned:
    """Learn from patients what each arm would bring, by the learner of that name. Raises UnknownName, DataError."""
    found: Learned = lookup(KIND, name).fit(trial, measure, rng=rng)
    return found
