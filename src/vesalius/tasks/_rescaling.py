"""Scale and shift of log hazards by what happened to cases that no model had seen (van Houwelingen 2000)."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array

LEAST = 0.05  # of a scale
MOST = 50.0  # of a logarithm, so that its exponential is a number


def rescaled(risk: Array, hazard: Array, happened: Array) -> tuple[float, float, float]:
    """Return scale and shift of log hazards, and by how much they raise the log likelihood.

    `risk` `(N,)` are log hazards about 0, `hazard` `(N,)` the cumulative ones at each case's end. With
    `hazard · exp(shift + (scale - 1) · risk)` events are as a Poisson process would have them (van Houwelingen 2000).
    """
    beta = np.zeros(2)
    x = np.stack([np.ones(len(risk)), risk], axis=1)
    d = happened.astype(np.float64)

    def gain(b: Array) -> float:
        return float((d * (x @ b) - hazard * np.expm1(np.clip(x @ b, -MOST, MOST))).sum())

    for _ in range(50):
        expected = hazard * np.exp(np.clip(x @ beta, -MOST, MOST))
        score = x.T @ (d - expected)
        curvature = (x * expected[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, score)
        while gain(beta + step) < gain(beta) - 1e-12 and np.abs(step).max() > 1e-10:
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            break
    if 1 + beta[1] < LEAST:  # what points the wrong way on new cases is shrunk, and never turned round
        shrunk = float((hazard * np.exp(np.clip((LEAST - 1) * risk, -MOST, MOST))).sum())
        beta = np.array([np.log(max(float(d.sum()), 1e-9) / shrunk), LEAST - 1])
    return float(1 + beta[1]), float(beta[0]), gain(beta)
