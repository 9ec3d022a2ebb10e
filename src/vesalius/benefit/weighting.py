"""Weights that make arms alike: inverse propensity, overlap, trimming; and how many patients they are worth."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vesalius.core.errors import UnknownName
from vesalius.core.image import Array

Way = Literal["none", "inverse", "overlap"]
WAYS: tuple[Way, ...] = ("none", "inverse", "overlap")
TRIM = 0.05  # patients for whom an arm was less likely than this are left out


def weights(propensity: Array, arm: Array, way: Way = "overlap") -> Array:
    """Return the weight of each patient, `(N,)`; `propensity` `(N, A)`, `arm` `(N,)` codes.

    `inverse`: 1 / π of the arm that was given: the arms look like all patients. `overlap`: the tilt 1 / Σ 1/π over
    the arm's own π: they look like patients for whom every arm was likely, none counts much (Li, Morgan and
    Zaslavsky 2018; of several arms Li and Li 2019). Raises UnknownName.
    """
    own = propensity[np.arange(len(arm)), arm]
    if way == "none":
        return np.ones(len(arm))
    if way == "inverse":
        return np.asarray(1 / own)
    if way == "overlap":
        return np.asarray(tilt(propensity) / own)
    raise UnknownName("way of weighting", way, WAYS)


def tilt(propensity: Array) -> Array:
    """Return how much each patient counts in the overlap population, `(N,)`: 1 / Σ 1/π; π (1 − π) of two arms."""
    return np.asarray(1 / (1 / np.maximum(propensity, 1e-12)).sum(axis=1))


def kept(propensity: Array, trim: float = TRIM) -> Array:
    """Return for whom every arm was at least so likely, `(N,)` of bits (Crump et al. 2009)."""
    return np.asarray(propensity.min(axis=1) >= trim)


def effective_size(weight: Array) -> float:
    """Return how many patients of equal weight tell as much: (Σ w)² / Σ w² (Kish 1965)."""
    total = float((weight**2).sum())
    return float(weight.sum()) ** 2 / total if total else 0.0
