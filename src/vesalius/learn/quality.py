"""How good features are before anybody says what they are for: their rank, their spread, and what lies near what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array

NEIGHBOURS = 10
TEMPERATURE = 0.1  # a neighbour counts by exp(cosine / it)
_TINY = 1e-7


def effective_rank(vectors: Array) -> float:
    """Return how many directions vectors `(N, F)` fill: the exponential of the entropy of their singular values.

    It is 1 where all lie on one line through zero, and at most the lesser of N and F (Roy and Vetterli 2007; RankMe,
    Garrido et al., ICML 2023).
    """
    values = np.linalg.svd(np.asarray(vectors, np.float64), compute_uv=False)
    share = values / max(float(values.sum()), 1e-30) + _TINY
    return float(np.exp(-(share * np.log(share)).sum()))


def spread(vectors: Array) -> float:
    """Return how far the directions of vectors `(N, F)` lie apart: 1 where they point everywhere, 0 where all agree.

    It is the root of one minus the squared length of their mean direction; 0 is a collapse (Chen and He 2021).
    """
    mean = unit(vectors).mean(axis=0)
    return float(np.sqrt(max(0.0, 1.0 - float(mean @ mean))))


def deviation(vectors: Array) -> float:
    """Return the root of the summed variances of the features of vectors `(N, F)`: their mean distance from the middle.

    Of vectors of length 1 it is their `spread`; it is 0 where all are the same.
    """
    return float(np.sqrt(np.asarray(vectors, np.float64).var(axis=0).sum()))


def alignment(one: Array, other: Array) -> float:
    """Return the mean squared distance of the directions of two views of the same images, `(N, F)` each; 0 is best.

    Source: Wang and Isola, ICML 2020.
    """
    return float(((unit(one) - unit(other)) ** 2).sum(axis=1).mean())


def uniformity(vectors: Array) -> float:
    """Return the logarithm of the mean of `exp(-2 d²)` over pairs of directions; the lower, the more evenly they lie.

    Source: Wang and Isola, ICML 2020. NaN for fewer than two vectors.
    """
    if len(vectors) < 2:
        return float("nan")
    directions = unit(vectors)
    squared = np.clip(2 - 2 * directions @ directions.T, 0.0, None)
    return float(np.log(np.exp(-2 * squared)[np.triu_indices(len(vectors), 1)].mean()))


def own_view(one: Array, other: Array) -> float:
    """Return the share of images whose nearest vector among the other views `(N, F)` is that of the same image.

    By chance it is 1 / N. Vectors that are equally near share the hit, so that a collapse scores as chance does.
    """
    near = unit(one) @ unit(other).T
    best = near >= near.max(axis=1, keepdims=True) - 1e-9
    return float((best.diagonal() / best.sum(axis=1)).mean())


def by_neighbours(
    vectors: Array, labels: Sequence[str], among: Array, known: Sequence[str], *, count: int = NEIGHBOURS
) -> float:
    """Return how often the nearest of other cases tell a case's class: the mean over classes of their hits.

    By chance it is one over the number of classes. `among` `(M, F)` are the cases with the classes `known`; each of the
    `count` nearest votes by `exp(cosine / 0.1)` over how frequent its class is (Wu et al., CVPR 2018). A class that no
    case in `among` has is not asked about. NaN where fewer than two classes are left.
    """
    names = sorted(set(known))
    asked = [k for k, label in enumerate(labels) if label in names]
    if len({labels[k] for k in asked}) < 2:
        return float("nan")
    near = unit(vectors)[asked] @ unit(among).T
    often = Counter(known)
    weight = np.array([1 / often[label] for label in known])
    place = np.array([names.index(label) for label in known])
    hits: dict[str, list[float]] = {}
    for row, k in zip(near, asked, strict=True):
        chosen = np.argsort(-row, kind="stable")[:count]
        votes = np.zeros(len(names))
        np.add.at(
            votes, place[chosen], np.exp((row[chosen] - row[chosen].max()) / TEMPERATURE) * weight[chosen]
        )
        best = np.flatnonzero(votes >= votes.max() * (1 - 1e-12))
        hits.setdefault(labels[k], []).append(float(names.index(labels[k]) in best) / len(best))
    return float(np.mean([np.mean(found) for found in hits.values()]))


def unit(vectors: Array) -> Array:
    """Return vectors `(N, F)` at length 1, float64; one of no length stays zero."""
    found = np.asarray(vectors, np.float64)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    scaled: Array = found / np.where(length > 0, length, 1.0)
    return scaled
