"""Random streams: one for each patient and purpose, so that no draw of one depends on another."""

from __future__ import annotations

import numpy as np

PURPOSES = ("person", "anatomy", "lesions", "acquisition", "outcome", "report", "experts")


def stream(seed: int, index: int, purpose: str) -> np.random.Generator:
    """The generator of patient `index` for one of PURPOSES.

    Patient `index` is the same whatever the number of patients, the size of the grid or the assignment of
    treatment, since each of these draws from a stream of its own.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, PURPOSES.index(purpose))))
