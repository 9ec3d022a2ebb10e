"""Matrices of grey levels against sizes: what runs, zones and dependences have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array


@dataclass(frozen=True, eq=False)
class Sizes:
    """How many things of each grey level have each size: a matrix of counts as its cells that are not empty.

    `level`, `size` and `count` are `(N,)` float64.
    """

    level: Array
    size: Array
    count: Array


def sizes(level: Array, size: Array) -> Sizes:
    """Return the matrix of things whose grey levels and sizes are given, `(N,)` whole numbers each."""
    wide = int(size.max()) + 1 if len(size) else 1
    key, count = np.unique(level.astype(np.int64) * wide + size, return_counts=True)
    return Sizes(*(np.asarray(a, np.float64) for a in (key // wide, key % wide, count)))


def added(many: list[Sizes]) -> Sizes:
    """Return the sum of several matrices; a cell may stand there more than once, which changes no sum over cells."""
    level, size, count = (np.concatenate([getattr(m, n) for m in many]) for n in ("level", "size", "count"))
    key = level.astype(np.int64) * (int(size.max()) + 1) + size.astype(np.int64)
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    return Sizes(level[first], size[first], np.bincount(place.ravel(), count))


@dataclass(frozen=True)
class Figures:
    """The features that every such matrix has, under neutral names; each family calls them by its own."""

    small: float
    large: float
    level_uneven: float
    level_uneven_share: float
    size_uneven: float
    size_uneven_share: float
    share: float
    level_variance: float
    size_variance: float
    entropy: float
    low: float
    high: float
    small_low: float
    small_high: float
    large_low: float
    large_high: float


def figures(matrix: Sizes) -> Figures:
    """Return the features of one matrix (IBSI 3.7, 3.8 and 3.11): entropies in bits, `share` of things in voxels."""
    g, s, n = matrix.level, matrix.size, matrix.count
    total = float(n.sum())
    p = n / total
    by_level = np.bincount(g.astype(int), n)
    by_size = np.bincount(np.unique(s, return_inverse=True)[1].ravel(), n)

    def mean(weight: Array) -> float:
        return float(np.sum(p * weight))

    return Figures(
        small=mean(s**-2.0),
        large=mean(s**2),
        level_uneven=float(np.sum(by_level**2)) / total,
        level_uneven_share=float(np.sum(by_level**2)) / total**2,
        size_uneven=float(np.sum(by_size**2)) / total,
        size_uneven_share=float(np.sum(by_size**2)) / total**2,
        share=total / float(np.sum(n * s)),
        level_variance=mean((g - mean(g)) ** 2),
        size_variance=mean((s - mean(s)) ** 2),
        entropy=float(-np.sum(p * np.log2(p))) + 0.0,
        low=mean(g**-2.0),
        high=mean(g**2),
        small_low=mean(s**-2.0 * g**-2.0),
        small_high=mean(s**-2.0 * g**2),
        large_low=mean(s**2 * g**-2.0),
        large_high=mean(s**2 * g**2),
    )
