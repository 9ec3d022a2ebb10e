"""Telling images from their own flips: a kernel machine that only sees what a flip changes, judged out of fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array

LEAST = 16  # images from which a side can be learned
TOLD = 0.75  # of the images that must be told from their flip out of fold: else no side is usual
USUAL = 0.4  # a score below minus this share of the usual one may be the flip's
SURE = 3.0  # … if it lies so many robust standard deviations below the usual one, too
FOLDS = 8
MOST = 500  # images that are learned from at once
RIDGE = 0.3  # of the kernel's mean diagonal
FAR = 3.0  # standard deviations of a coin: by so much more than half must be told
ROUNDS = 2  # images that are told for their flip are then learned from as such, so often


def judged(views: Array, flipped: Array, groups: Sequence[str]) -> Array | None:
    """Return a score `(N,)` of each image: about 1 as most are, about −1 as their flips; None where no side is usual.

    `views` and `flipped` are `(N, …)`. f(x) = Σ α_i (k(x_i, x) − k(x_i, flip x)) with a Gaussian kernel k, so that
    f(flip x) = −f(x) by construction: what a flip leaves as it is cannot tell. α solves the ridge regression of 1 for
    every image, then of −1 for those that were told for flipped, on the other folds' images. Images of one group
    stand in one fold: a mirrored copy does not vouch for its twin.
    """
    count = len(views)
    if count < LEAST:
        return None
    learned = np.unique(np.linspace(0, count - 1, MOST).astype(int)) if count > MOST else np.arange(count)
    kernel = _kernel(views.reshape(count, -1), flipped.reshape(count, -1), learned)
    fold = _folds(groups)
    first = _out_of_fold(
        kernel, np.ones(count), fold, learned
    )  # of sides that nobody learned from these images
    if np.mean(first > 0) < max(TOLD, 0.5 + FAR * 0.5 / np.sqrt(len(set(groups)))):
        return None
    scores = _rounds(kernel, np.where(first < 0, -1.0, 1.0), fold, learned)
    middle = float(np.median(scores))
    if middle <= 0:
        return None
    return np.asarray(scores / middle)


def limit_of(scores: Array) -> float:
    """Return below which score an image is told for its flip: where the side is weak, many are merely misjudged."""
    spread = 1.4826 * float(np.median(np.abs(scores - 1)))
    return min(-USUAL, 1 - SURE * spread)


def _rounds(kernel: Array, side: Array, fold: Array, learned: Array) -> Array:
    """Return scores out of fold after ROUNDS, each of which learns from the sides that the one before told."""
    for _ in range(ROUNDS):
        scores = _out_of_fold(kernel, side, fold, learned)
        side = np.where(scores < 0, -1.0, 1.0)
    return scores


def _out_of_fold(kernel: Array, side: Array, fold: Array, learned: Array) -> Array:
    scores = np.zeros(len(side))
    for k in np.unique(fold):
        held, mine = np.flatnonzero(fold == k), np.flatnonzero(fold[learned] != k)
        own = kernel[np.ix_(learned[mine], mine)]
        ridge = RIDGE * float(np.mean(np.diag(own))) + 1e-9
        alpha = np.linalg.solve(own + ridge * np.eye(len(mine)), side[learned[mine]])
        scores[held] = kernel[np.ix_(held, mine)] @ alpha
    return scores


def _kernel(x: Array, flipped: Array, learned: Array) -> Array:
    """Return 2 (k(x_i, x_j) − k(x_i, flip x_j)) of all images i and the learned j; k's width is the median distance."""
    same, other = _distances(x, x[learned]), _distances(x, flipped[learned])
    width = float(np.median(same[same > 1e-6])) if (same > 1e-6).any() else 1.0
    return np.asarray(2 * (np.exp(-same / width) - np.exp(-other / width)))


def _distances(a: Array, b: Array) -> Array:
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2 * (a @ b.T)
    return np.asarray(np.maximum(squares, 0.0), np.float64)


def _folds(groups: Sequence[str]) -> Array:
    names = {g: k for k, g in enumerate(dict.fromkeys(groups))}
    order = np.random.default_rng(0).permutation(len(names))
    return np.array([order[names[g]] % min(FOLDS, len(names)) for g in groups])
