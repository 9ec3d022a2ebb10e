"""Modes: generalised Procrustes and the principal components of corresponding shapes, and how many stand out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.shapes.models.aligning import procrustes

SHARE = 0.98  # of the variance that is kept
DRAWS = 20  # of shapes that have nothing in common
MOST_COLUMNS = 3000  # coordinates that the comparison with chance looks at


@dataclass(frozen=True, eq=False)
class Modes:
    """Principal components of n shapes: `mean` `(V, 3)`, orthonormal `vectors` `(K, V, 3)`, `variances` `(K,)` in mm².

    `weights` `(n, K)` are the shapes along the vectors; `every` are all n - 1 variances, `sound` how many stand out.
    """

    mean: Array
    vectors: Array
    variances: Array
    weights: Array
    every: Array
    sound: int


def procrustes_all(shapes: Array, *, sizes: bool = False, rounds: int = 5) -> Array:
    """Return shapes `(n, V, 3)` laid upon their mean, centred; with `sizes` each also scaled to the mean's size.

    The mean keeps the direction that the shapes had on average, so that its axes stay those of LPS. Source: Gower 1975.
    """
    laid = shapes - shapes.mean(axis=1, keepdims=True)
    usual = float(np.mean([_size(one) for one in laid]))
    if sizes:
        laid = laid * np.array([usual / _size(one) for one in laid])[:, None, None]
    for _ in range(rounds):
        mean = laid.mean(axis=0)
        if sizes:
            mean = mean * (usual / _size(mean))
        laid = np.stack([procrustes(one, mean, sizes=sizes)(one) for one in laid])
    return np.asarray(laid)


def modes_of(shapes: Array, *, share: float = SHARE, most: int | None = None, seed: int | None = 0) -> Modes:
    """Return the principal components of shapes `(n, V, 3)`: as many as hold so much of the variance, at most n - 1.

    Without a `seed` it is not asked how many stand out from chance, and all count as sound.
    """
    n, mean = len(shapes), shapes.mean(axis=0)
    flat = (shapes - mean).reshape(n, -1)
    values, vectors = np.linalg.eigh(flat @ flat.T / max(n - 1, 1))
    values, vectors = values[::-1][: n - 1].clip(0), vectors[:, ::-1][:, : n - 1]
    total = values.sum()
    held = np.cumsum(values) / total if total > 0 else np.ones(len(values))
    count = int(np.searchsorted(held, share - 1e-12)) + 1
    count = min(count, len(values), most or len(values), int((values > 1e-12 * max(total, 1e-300)).sum()))
    kept = values[:count]
    directions = (flat.T @ vectors[:, :count] / np.sqrt((n - 1) * kept)).T.reshape(count, *mean.shape)
    sound = count if seed is None else min(count, beyond_chance(flat, values, seed=seed))
    return Modes(mean, directions, kept, vectors[:, :count] * np.sqrt((n - 1) * kept), values, sound)


def beyond_chance(flat: Array, values: Array, *, seed: int = 0) -> int:
    """Return how many leading variances exceed those of shapes whose coordinates were shuffled among the cases.

    Coordinates `(n, 3 V)` are centred; each is shuffled by itself, so that no two go together any more, and a mode
    counts while its variance is above 95 % of the shuffled ones of the same rank. Source: Horn 1965; Buja and
    Eyuboglu 1992.
    """
    random = np.random.default_rng(seed)
    n, width = flat.shape
    few = flat[:, np.linspace(0, width - 1, min(width, MOST_COLUMNS)).astype(int)]
    few = few * np.sqrt((flat**2).sum() / max(float((few**2).sum()), 1e-300))
    drawn = []
    for _ in range(DRAWS):
        mixed = random.permuted(few, axis=0)
        drawn.append(np.linalg.eigvalsh(mixed @ mixed.T / (n - 1))[::-1][: n - 1])
    bound = np.quantile(np.array(drawn), 0.95, axis=0)
    above = values > bound
    return int(len(above) if above.all() else np.argmin(above))


def _size(points: Array) -> float:
    return float(np.sqrt((points**2).sum(axis=1).mean()))
