"""A plain model of the covariates alone, fitted on training cases: what is reached without looking at anything else.

It stands beside the figures of a model of several sources. A state holds it under `plain`:

    {"weights": [[…], …], "bias": […]}      a row an output, a column an encoded covariate
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import optimize

from vesalius.core.bundle import State
from vesalius.core.image import Array
from vesalius.prepare.batch import Example

PLAIN = "plain"
RIDGE = (
    1.0  # half of it times the squared weights is added to the summed loss, as scikit-learn does with C = 1
)
FEWEST = 10  # cases with covariates and a target, of fewer nothing is fitted


def remembered(examples: Sequence[Example], state: State, target: str, *, how: str) -> State:
    """Return the state with a plain model of the covariates, as it is where too few cases have both.

    `target` names what examples have of the truth, `(K,)`; `how` is `one` of several labels, `several` at once, or
    `numbers`.
    """
    held = [e for e in examples if e.covariates is not None and target in e.targets]
    held = [e for e in held if np.isfinite(e.targets[target]).all()]
    if len(held) < FEWEST:
        return state
    x = np.stack([np.asarray(e.covariates, np.float64) for e in held])
    y = np.stack([np.asarray(e.targets[target], np.float64) for e in held])
    weights, bias = linear(x, y) if how == "numbers" else logistic(x, y, several=how == "several")
    return State({**state.values, PLAIN: {"weights": weights.tolist(), "bias": bias.tolist()}}, state.arrays)


def said(example: Example, state: State) -> Array | None:
    """Return what the plain model says of a case, `(K,)`: logits, or standardised numbers; None without one.

    A case without covariates is taken for one that lacks all of them.
    """
    about: Any = state.values.get(PLAIN)
    if about is None:
        return None
    weights, bias = np.asarray(about["weights"]), np.asarray(about["bias"])
    x = (
        np.zeros(weights.shape[1])
        if example.covariates is None
        else np.asarray(example.covariates, np.float64)
    )
    return np.asarray(weights @ x + bias)


def linear(x: Array, y: Array) -> tuple[Array, Array]:
    """Return weights `(K, F)` and bias `(K,)` of ridge regressions of `y` `(N, K)` on `x` `(N, F)`."""
    mean, middle = x.mean(axis=0), y.mean(axis=0)
    centred = x - mean
    gram = centred.T @ centred + RIDGE * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (y - middle)).T
    return np.asarray(weights), np.asarray(middle - weights @ mean)


def logistic(x: Array, y: Array, *, several: bool) -> tuple[Array, Array]:
    """Return weights `(K, F)` and bias `(K,)` of a logistic regression with a ridge, the bias free.

    `y` `(N, K)` are probabilities of labels that exclude one another (soft-max), or of `several` at once (a sigmoid
    each).
    """
    features = x.shape[1]
    labels = y.shape[1]

    def loss(flat: Array) -> tuple[float, Array]:
        weights, bias = flat[: labels * features].reshape(labels, features), flat[labels * features :]
        z = x @ weights.T + bias
        if several:
            p = 1 / (1 + np.exp(-np.clip(z, -500, 500)))
            total = float((np.logaddexp(0, z) - y * z).sum())
        else:
            top = z - z.max(axis=1, keepdims=True)
            logs = top - np.log(np.exp(top).sum(axis=1, keepdims=True))
            p, total = np.exp(logs), float(-(y * logs).sum())
        total += 0.5 * RIDGE * float((weights**2).sum())
        slope = (p - y).T @ x + RIDGE * weights
        return total, np.concatenate([slope.ravel(), (p - y).sum(axis=0)])

    begin = np.zeros(labels * features + labels)
    found = optimize.minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return found[: labels * features].reshape(labels, features), found[labels * features :]
