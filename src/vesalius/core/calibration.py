"""From logits to probabilities, as fitted on validation data and stored in the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vesalius.core.image import Array


def apply(calibration: Mapping[str, Any], logits: Array, *, multilabel: bool = False) -> Array:
    """Probabilities `(N, K)` float64 from logits `(N, K)`, or `(N, M, K)` of M members whose answers are averaged.

    `calibration['temperature']` divides the logits first (Guo et al. 2017, arXiv 1706.04599); absent, it is 1.
    Exclusive classes sum to one; with `multilabel` each label has a sigmoid of its own.
    """
    scaled = np.asarray(logits, dtype=np.float64) / float(calibration.get("temperature", 1.0))
    if multilabel:
        p = 1.0 / (1.0 + np.exp(-np.clip(scaled, -700, 700)))
    else:
        p = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
    return p.mean(axis=1) if p.ndim == 3 else p
