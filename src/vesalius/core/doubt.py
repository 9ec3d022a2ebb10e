"""Doubt: how far several opinions about one case are from one another, as figures of the answer and as maps beside it.

Of probabilities the sources' terms are used: the entropy of the mean opinion is all doubt (`entropy`), the mean entropy
of single opinions is what remains however many models are asked (`expected_entropy`), and the difference is what they
disagree in (`mutual_information`; Houlsby et al. 2011, BALD; Gal, Islam and Ghahramani 2017). All are in nats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from vesalius.core.image import Array

NAT = "nat"
WORDS = {
    "entropy": "entropy",
    "expected_entropy": "expected entropy",
    "mutual_information": "mutual information",
    "sd": "standard deviation",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Doubt:
    """What several opinions about one case come to. `way` names how they were had, `samples` counts them.

    `figures` are numbers by name and `units` the units of those that have one; what they mean is said by the kind of
    answer. `maps` names the parts of the answer that are fields of such figures, such as a voxel's entropy.
    """

    figures: Mapping[str, float]
    units: Mapping[str, str] = field(default_factory=dict)
    way: str = ""
    samples: int = 0
    maps: tuple[str, ...] = ()

    def columns(self) -> dict[str, float]:
        """Return the figures by the name of their column in a table of answers."""
        return {f"doubt_{name}": float(value) for name, value in self.figures.items()}

    def summary(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "way": self.way,
            "samples": self.samples,
            "figures": {name: float(value) for name, value in self.figures.items()},
            "units": dict(self.units),
        }

    def said(self) -> dict[str, str]:
        """Return each figure in words by what it is called."""
        texts = {n: f"{v:.4g} {self.units.get(n, '')}".rstrip() for n, v in self.figures.items()}
        return {f"doubt: {WORDS.get(name, name)}": text for name, text in texts.items()}


class Entropies(NamedTuple):
    """Entropies of samples of probabilities, in nats: of their mean, the mean of theirs, and the difference."""

    entropy: Array
    expected: Array
    mutual: Array


def entropy(p: Array, *, axis: int = -1) -> Array:
    """Return the entropy of probabilities along an axis, in nats; nothing is added for a probability of 0."""
    p = np.asarray(p)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(p > 0, -p * np.log(p), np.zeros((), p.dtype))
    return np.asarray(each.sum(axis=axis))


def entropies(p: Array) -> Entropies:
    """Return the entropies of samples `(S, …, K)` of probabilities that sum to one over K; each is `(…)`."""
    p = np.asarray(p, dtype=np.float64)
    whole, expected = entropy(p.mean(axis=0)), entropy(p).mean(axis=0)
    return Entropies(whole, expected, np.maximum(whole - expected, 0.0))


def binary_entropies(p: Array) -> Entropies:
    """Return the entropies of samples `(S, …)` of the probability of a yes; each is `(…)`."""
    return entropies(np.stack([p, 1 - np.asarray(p, dtype=np.float64)], axis=-1))
