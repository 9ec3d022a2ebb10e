"""Random streams: one for each patient and purpose, so that no draw of one depends on another."""

from __future__ import annotations

import numpy as np


def stream(seed: int, index: int, purpose: int = 0) -> np.random.Generator:
    """Return the generator of patient `index` for the purpose of that number.

    Give each purpose (anatomy, lesions, noise …) a number of its own. A patient then keeps the anatomy and the noise
    when the number of patients, the size of the grid or an option changes, or when a finding is left out.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, purpose)))
