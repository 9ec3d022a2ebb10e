"""What the abdominal CT draws random numbers for; the order decides every draw and never changes."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from vesalius.phantom.common import streams

Purpose = Literal[
    "person",
    "anatomy",
    "lesions",
    "acquisition",
    "outcome",
    "report",
    "experts",
    "look-alikes",
    "later",
    "fates",
]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


def stream(seed: int, index: int, purpose: Purpose) -> np.random.Generator:
    """Return the generator of patient `index` for one of PURPOSES."""
    return streams.stream(seed, index, PURPOSES.index(purpose))
