"""CIDEr-D: how much of what is particular to a reference a text says; words that all references have count little."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array
from vesalius.metrics._text_words import LONGEST, sequences

SIGMA = 6.0  # of the penalty on another length, in pairs of words
Weighed = list[dict[tuple[str, ...], float]]


def cider(said: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> Array:
    """Return CIDEr-D of each text, `(N,)`, from 0 to 10; NaN where there is only one reference.

    How rare a sequence is comes from all references together, so that the figures of a resample are those of the whole
    set. Vedantam, Zitnick, Parikh 2015, equations 1 to 4, as the public implementation has them: clipped counts, a
    Gaussian penalty on the length, four lengths of sequences that weigh alike, one reference a text.
    """
    if len(references) < 2:
        return np.full(len(said), np.nan)
    wanted = [sequences(r) for r in references]
    rare: Counter[tuple[str, ...]] = Counter()
    for one in wanted:
        rare.update(key for counts in one for key in counts)
    many = math.log(len(references))
    return np.array(
        [_alike(sequences(s), w, rare, many) for s, w in zip(said, wanted, strict=True)], dtype=np.float64
    )


def _weighed(
    counts: Sequence[Counter[tuple[str, ...]]], rare: Counter[tuple[str, ...]], many: float
) -> Weighed:
    """Return how often each sequence occurs times how rare it is."""
    return [{key: n * (many - math.log(max(1.0, rare[key]))) for key, n in one.items()} for one in counts]


def _alike(
    own: Sequence[Counter[tuple[str, ...]]],
    wanted: Sequence[Counter[tuple[str, ...]]],
    rare: Counter[tuple[str, ...]],
    many: float,
) -> float:
    """Return ten times the mean cosine over the lengths of sequences, with what is said too often clipped."""
    first, second = _weighed(own, rare, many), _weighed(wanted, rare, many)
    pairs = sum(own[1].values()) - sum(wanted[1].values())
    found = 0.0
    for a, b in zip(first, second, strict=True):
        size = math.sqrt(sum(v * v for v in a.values())) * math.sqrt(sum(v * v for v in b.values()))
        shared = sum(min(v, b[key]) * b[key] for key, v in a.items() if key in b)
        found += shared / size if size else 0.0
    return 10 * found / LONGEST * math.exp(-(pairs**2) / (2 * SIGMA**2))
