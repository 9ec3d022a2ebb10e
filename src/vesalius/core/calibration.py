"""Calibration, applied: raw scores to probabilities, by what was fitted on validation and kept in the Bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vesalius.core.image import Array


def apply(calibration: Mapping[str, Any], logits: Array, *, multilabel: bool = False) -> Array:
    """Probabilities `(…, K)` float64 of logits `(…, K)`: divided by `temperature`, then softmax, or sigmoid.

    An empty calibration is a temperature of 1.
    """
    scaled = np.asarray(logits, dtype=np.float64) / float(calibration.get("temperature", 1.0))
    if multilabel:
        return np.asarray(0.5 * (1 + np.tanh(scaled / 2)))
    grown = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def operating_point(positive: str | None, thresholds: Mapping[str, float]) -> dict[str, Any] | None:
    """Return the positive label and the threshold fixed for it on validation data; None where there is none."""
    if positive is None or positive not in thresholds:
        return None
    return {"label": positive, "threshold": float(thresholds[positive])}
