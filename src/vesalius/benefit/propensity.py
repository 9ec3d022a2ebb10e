"""Propensity: how likely each arm was for a patient, from what was known before; cross-fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.benefit.trial import Trial
from vesalius.core.errors import DataError
from vesalius.core.image import Array

PENALTIES = (1.0, 10.0, 100.0, 1000.0)  # half of one times the squared coefficients of standardised columns
MANY = 10  # patients of the rarest arm a column, from which on the least penalty is enough
STEPS = 100


@dataclass(frozen=True, eq=False)
class Propensity:
    """A multinomial logistic model of arms, or their shares alone where chance decided.

    `centre`, `scale` `(F,)` standardise x; `coefficients` `(F + 1, A)`, the first row for a one; the first arm's
    are 0.
    """

    centre: Array
    scale: Array
    coefficients: Array

    def of(self, x: Array) -> Array:
        """Return how likely each arm is, `(N, A)`; rows add up to 1."""
        return _softmax(_design(x, self.centre, self.scale) @ self.coefficients)


def fit_propensity(trial: Trial, *, penalty: float | None = None) -> Propensity:
    """Fit the model: ridge-penalised maximum likelihood by Newton's method, or shares where chance decided.

    Without a `penalty` it is 1, or where columns are many the one of `PENALTIES` with the best corrected Akaike
    criterion. Raises DataError where an arm was given to nobody, or the model does not converge.
    """
    count = np.bincount(trial.arm, minlength=len(trial.arms)).astype(np.float64)
    if not count.all():
        raise DataError(f"the arm '{trial.arms[int(np.argmin(count))]}' was never given")
    centre, scale = standards(trial.x)
    beta = np.zeros((trial.x.shape[1] + 1, len(trial.arms)))
    beta[0] = np.log(count / count[0])
    if not trial.randomised and trial.x.shape[1]:
        few = MANY * trial.x.shape[1] <= count.min()
        tried = (penalty,) if penalty is not None else PENALTIES[:1] if few else PENALTIES
        design, given = _design(trial.x, centre, scale), np.eye(len(trial.arms))[trial.arm]
        beta[:, 1:] = min((_newton(design, given, p) for p in tried), key=lambda found: found[1])[0]
    return Propensity(centre, scale, beta)


def cross_fitted(trial: Trial, fold: Array) -> Array:
    """Return how likely each arm was for each patient, `(N, A)`, from a model of the other folds."""
    found = np.zeros((len(trial), len(trial.arms)))
    for k in np.unique(fold):
        found[fold == k] = fit_propensity(trial.where(fold != k)).of(trial.x[fold == k])
    return found


def standards(x: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of each column, `(F,)`; 1 for the latter where a column is constant."""
    scale = x.std(axis=0)
    return x.mean(axis=0), np.where(scale > 1e-12, scale, 1.0)


def corrected(free: float, n: int) -> float:
    """Return half of the Akaike criterion's price of so many free parameters with `n` cases (Hurvich and Tsai 1989)."""
    return free + free * (free + 1) / max(n - free - 1, 1.0)


def _design(x: Array, centre: Array, scale: Array) -> Array:
    return np.column_stack([np.ones(len(x)), (x - centre) / scale])


def _softmax(score: Array) -> Array:
    up = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(up / up.sum(axis=1, keepdims=True))


def _newton(design: Array, given: Array, penalty: float) -> tuple[Array, float]:
    """Return coefficients `(F + 1, A − 1)` of all arms but the first, and half of the corrected criterion.

    Raises DataError where it does not converge.
    """
    columns, others = design.shape[1], given.shape[1] - 1
    ridge = np.tile(np.r_[0.0, np.full(columns - 1, penalty)], others)
    beta = np.zeros(columns * others)
    value = np.inf
    for _ in range(STEPS):
        p = _softmax(np.column_stack([np.zeros(len(design)), design @ beta.reshape(others, columns).T]))
        gradient = (design.T @ (given - p)[:, 1:]).T.ravel() - ridge * beta
        hessian = np.diag(ridge)
        for a in range(others):
            for b in range(others):
                weight = p[:, a + 1] * ((a == b) - p[:, b + 1])
                rows, cols = slice(a * columns, (a + 1) * columns), slice(b * columns, (b + 1) * columns)
                hessian[rows, cols] += (design * weight[:, None]).T @ design
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        beta = beta + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        value = float(np.abs(gradient).max())
        if value < 1e-8 * len(design):
            free = len(beta) - float(np.trace(np.linalg.pinv(hessian) * ridge))
            likelihood = float(np.log(np.maximum((p * given).sum(axis=1), 1e-300)).sum())
            return np.asarray(beta.reshape(others, columns).T), corrected(free, len(design)) - likelihood
    raise DataError("the propensity model did not converge", found=f"a gradient of {value:.2g}")
