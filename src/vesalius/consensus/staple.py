"""STAPLE: the truth behind several masks (Warfield, Zou, Wells 2004), a label at a time or all labels at once.

It looks at no more than where any expert marks the label, with as much agreed background as there is agreed label: how
much air an image holds then changes nothing. What all who saw a voxel say of it stays so. Of two experts who differ
neither is right by STAPLE, which says so: each such voxel is tied.
Of two labels that are as likely, and of a label that is as likely as none, nothing is said: such voxels are tied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius.consensus.dependence import Dependence, fitted
from vesalius.consensus.majority import Joined, decided
from vesalius.consensus.patterns import UNSEEN, Patterns
from vesalius.core.image import Array

LIMIT = 1e-9  # probabilities nearer to 0 or 1 than this are taken for so


@dataclass(frozen=True, eq=False)
class Staple:
    """What was joined, and the fit of each label by its place; of all labels at once under 0."""

    joined: Joined
    fits: dict[int, Dependence]


def bounded(patterns: Patterns) -> Patterns:
    """Return patterns of masks in which agreed background counts no more than an agreed label does on average."""
    top, agreed = _agreement(patterns)
    totals = patterns.totals()
    empty = agreed & (top == 0)
    there = float(totals[empty].sum())
    held = [float(totals[agreed & (top == k)].sum()) for k in range(1, len(patterns.labels))]
    wanted = float(np.mean([n for n in held if n] or [0.0]))
    factor = min(1.0, wanted / there) if there > 0 else 1.0
    return replace(patterns, count=np.where(empty[patterns.at], patterns.count * factor, patterns.count))


def staple(patterns: Patterns, *, smoothing: float = 1.0, look: bool = True) -> Staple:
    """Return the truth of each label by itself, put together so that one label holds at each voxel.

    The odds of labels against the background multiply as if their marks were independent. `look` asks whether experts
    err together. Patterns of nobody are tied.
    """
    own: dict[int, Array] = {}
    fits: dict[int, Dependence] = {}
    for place in range(1, len(patterns.labels)):
        binary = patterns.of_label(place)
        if not _marked(binary):
            own[place] = np.zeros(len(patterns.calls))
            continue
        region = bounded(binary)
        fits[place] = fitted(region, smoothing=smoothing, look=look)
        calls = np.where(patterns.seen, patterns.calls == place, UNSEEN).astype(np.int16)
        own[place] = fits[place].fitted.posterior[_rows(region.calls, calls), 1]
    p = _exclusive([own[k] for k in range(1, len(patterns.labels))], len(patterns.calls))
    return Staple(decided(_agreed(patterns, p)), fits)


def together(patterns: Patterns, *, smoothing: float = 1.0, look: bool = True) -> Staple:
    """Return the truth of all labels at once: one table of confusions an expert."""
    region = bounded(patterns)
    if not _marked(patterns):
        p = np.zeros((len(patterns.calls), len(patterns.labels)))
        p[:, 0] = 1
        return Staple(decided(_agreed(patterns, p)), {})
    found = fitted(region, smoothing=smoothing, look=look)
    return Staple(decided(_agreed(patterns, found.fitted.posterior)), {0: found})


def _marked(patterns: Patterns) -> bool:
    return bool((patterns.calls > 0).any())


def _rows(table: Array, rows: Array) -> Array:
    """Return at which row of a sorted table each of the rows stands."""
    base = int(table.max(initial=0)) + 2
    powers = base ** np.arange(table.shape[1] - 1, -1, -1, dtype=np.int64)
    found: Array = np.searchsorted((table + 1) @ powers, (rows + 1) @ powers)
    return found


def _exclusive(each: list[Array], rows: int) -> Array:
    """Return `(P, K)`, the background first, from the probability of each label by itself."""
    odds = [np.ones(rows)]
    for p in each:
        bounded_p = np.clip(p, LIMIT, 1 - LIMIT)
        odds.append(np.where(p <= LIMIT, 0.0, bounded_p / (1 - bounded_p)))
    found = np.stack(odds, axis=1)
    made: Array = found / found.sum(1, keepdims=True)
    return made


def _agreed(patterns: Patterns, p: Array) -> Array:
    """Return the probabilities, 1 for what all who say something agree on, and even ones where nobody does."""
    top, agreed = _agreement(patterns)
    found = p.copy()
    found[agreed] = np.eye(p.shape[1])[top[agreed]]
    found[~patterns.seen.any(1)] = 1 / p.shape[1]
    return found


def _agreement(patterns: Patterns) -> tuple[Array, Array]:
    """Return the highest label of each pattern, -1 of nobody's, and whether all who say something say the same."""
    calls, seen = patterns.calls, patterns.seen
    top = np.where(seen, calls, -1).max(1, initial=-1)
    low = np.where(seen, calls, np.iinfo(np.int16).max).min(1, initial=np.iinfo(np.int16).max)
    return top, top == low
