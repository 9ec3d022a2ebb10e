"""Cox models that inner folds alone choose: a ridge of columns, and a signature of many features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array
from vesalius.survival.cox import Cox, fit_cox
from vesalius.survival.observed import Observed
from vesalius.survival.partial import partial_likelihood

INNER = 4
COMPONENTS, PENALTIES = (1, 2, 4, 8, 16), (0.01, 0.1, 1.0)


def signature(train: Array, test: Array, seen: Observed, seed: int) -> tuple[Array, Array, int]:
    """Return a signature's log hazard of training patients out of inner folds, of others, and its components' number.

    Components and penalty are those of the largest held-out partial likelihood of inner folds; none, where none helps.
    """
    folds = dealt(len(train), INNER, seed + 1)
    best, kept, width = _held_out(np.zeros(len(train)), folds, seen), np.zeros(len(train)), (0, 0.0)
    for many in COMPONENTS:
        for penalty in PENALTIES:
            inner = np.zeros(len(train))
            for held in range(INNER):
                own, other = folds != held, folds == held
                inner[other] = _components(train[own], train[other], seen.where(own), many, penalty)
            value = _held_out(inner, folds, seen)
            if value > best:
                best, kept, width = value, inner, (many, penalty)
    if not width[0]:
        return kept, np.zeros(len(test)), 0
    return kept, _components(train, test, seen, *width), width[0]


def ridge(x: Array, seen: Observed, names: Sequence[str], seed: int) -> Cox:
    """Return the Cox ridge whose penalty has the largest held-out partial likelihood of inner folds."""
    folds = dealt(len(x), INNER, seed + 1)
    found = []
    for penalty in PENALTIES:
        inner = np.zeros(len(x))
        for held in range(INNER):
            own, other = folds != held, folds == held
            some = np.ptp(x[own], axis=0) > 0  # a rare histology may be in one fold alone
            kept = [n for n, k in zip(names, some, strict=True) if k]
            cox = fit_cox(x[own][:, some], seen.where(own), names=kept, penalty=penalty)
            inner[other] = cox.log_hazard(x[other][:, some])
        found.append(_held_out(inner, folds, seen))
    return fit_cox(x, seen, names=names, penalty=PENALTIES[int(np.argmax(found))])


def _components(train: Array, test: Array, seen: Observed, many: int, penalty: float) -> Array:
    """Return the log hazards by a Cox ridge of the first principal components of standardised features."""
    centre, spread = train.mean(0), train.std(0)
    own, other = ((np.clip((v - centre) / np.where(spread > 0, spread, 1), -3, 3)) for v in (train, test))
    axes = np.linalg.svd(own - own.mean(0), full_matrices=False)[2][:many].T
    cox = fit_cox(own @ axes, seen, names=[f"c{k}" for k in range(many)], penalty=penalty)
    return cox.log_hazard(other @ axes)


def _held_out(risk: Array, folds: Array, seen: Observed) -> float:
    return sum(partial_likelihood(risk[folds == k], seen.where(folds == k)) for k in range(INNER))


def filled(train: Array, test: Array) -> tuple[Array, Array]:
    """Fill what is unknown with the training patients' median."""
    middle = np.nanmedian(train, axis=0)
    return np.where(np.isnan(train), middle, train), np.where(np.isnan(test), middle, test)


def dealt(n: int, folds: int, seed: int) -> Array:
    return np.random.default_rng(seed).permutation(n) % folds
