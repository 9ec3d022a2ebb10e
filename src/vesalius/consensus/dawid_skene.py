"""Dawid–Skene for classes: each expert's confusions and each case's class, by EM (Dawid and Skene 1979)."""

from __future__ import annotations

from vesalius.consensus.dependence import Dependence, fitted
from vesalius.consensus.majority import Joined, decided
from vesalius.consensus.patterns import Patterns


def dawid_skene(
    patterns: Patterns, *, smoothing: float = 1.0, look: bool = True
) -> tuple[Joined, Dependence]:
    """Return the class behind each pattern of calls, and the fit that says it.

    Experts may have seen different cases. `look` asks whether some err together; their calls then count as those of
    one expert who errs as they do. `smoothing` is how many calls each row of an expert's table begins with.
    """
    found = fitted(patterns, smoothing=smoothing, look=look)
    p = found.fitted.posterior.copy()
    p[~patterns.seen.any(1)] = 1 / p.shape[1]  # nobody said anything
    return decided(p), found
