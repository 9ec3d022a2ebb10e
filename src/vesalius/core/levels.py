"""Levels: probabilities as steps of their log-odds in one byte, as fine near 0 and near 1 as about one half."""

from __future__ import annotations

import math

STEPS = 256  # level 0 is anything below the lowest log-odds
SPAN = 12.0  # log-odds from -SPAN to SPAN, that is from 6e-6 to 1 - 6e-6
PER_STEP = (
    2 * SPAN / STEPS
)  # log-odds from one level to the next: a level k holds log-odds from k·PER_STEP - SPAN on


def probability(level: float) -> float:
    """Return the least probability of a level; 0 of level 0, which everything reaches, and 1 beyond the last."""
    if level <= 0:
        return 0.0
    return 1.0 if level >= STEPS else 1 / (1 + math.exp(SPAN - PER_STEP * level))
