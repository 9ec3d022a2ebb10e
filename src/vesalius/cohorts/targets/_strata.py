"""How targets are spread over folds: by name, or by where a number lies among the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np


def by_name(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the rarest of each case's names; '' for a case without any."""
    counts = Counter(n for listed in names.values() for n in listed)
    return {case: min(listed, key=lambda n: (counts[n], n), default="") for case, listed in names.items()}


def by_fifth(numbers: Mapping[str, float]) -> dict[str, str]:
    """Return in which fifth of all numbers each case's lies, 0 to 4."""
    if not numbers:
        return {}
    edges = np.quantile(list(numbers.values()), [0.2, 0.4, 0.6, 0.8])
    return {case: str(int(np.searchsorted(edges, number))) for case, number in numbers.items()}
