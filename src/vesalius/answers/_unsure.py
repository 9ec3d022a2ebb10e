"""How unsure an answer is, by one measure: of probabilities, of things with a probability each, of a mask, of a number.

Entropies are in nats. The margin is 1 less how far the two likeliest are apart (Scheffer 2001), so that more is always
less sure.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vesalius.core.answers.value import Value
from vesalius.core.doubt import entropy
from vesalius.core.image import Array

ENTROPY, MARGIN, WIDTH = "entropy", "margin", "width"
NEAR = 2  # voxels on either side of a border
MOST = 0.01  # the share of voxels that tell how unsure a mask is in which nothing is called


def of_probabilities(p: Array, by: str, *, several: bool) -> float:
    """Return how unsure probabilities `(K,)` are; of `several` labels at once that of the most doubtful one."""
    each = np.asarray(p, dtype=np.float64)
    if several:
        return float(_binary(each, by).max(initial=0.0))
    if by == ENTROPY:
        return float(entropy(each))
    if len(each) < 2:
        return 0.0
    second, first = np.sort(each)[-2:]
    return float(1 - (first - second))


def of_things(p: Array, by: str) -> float:
    """Return how unsure things with the probabilities `(N,)` are: the sum of their entropies, or the largest margin.

    Nothing found is nothing unsure. The sum: Brust, Käding and Denzler 2019, "Active Learning for Deep Object
    Detection", section 3.
    """
    each = _binary(np.asarray(p, dtype=np.float64), by)
    return float(each.sum() if by == ENTROPY else each.max(initial=0.0))


def of_mask(called: Array, chances: Array) -> float:
    """Return the mean entropy of the likeliest label's chance, `(K, Z, Y, X)`, near the border of what is `called`.

    Most voxels of an image are surely nothing, so that a mean over all of them tells how large the border is. Where
    nothing is called it is the mean of the most doubtful 1 % of all voxels.
    """
    border = near_border(called)
    if border.any():
        return float(_binary(chances[:, border].max(axis=0).astype(np.float64), ENTROPY).mean())
    apart = np.abs(chances.max(axis=0).astype(np.float32).ravel() - 0.5)
    most = max(1, round(MOST * apart.size))
    return float(_binary(0.5 - np.partition(apart, most - 1)[:most].astype(np.float64), ENTROPY).mean())


def near_border(called: Array, near: int = NEAR) -> Array:
    """Return the voxels `(Z, Y, X)` within `near` steps of the border of `called`, on either side of it."""
    bits = np.asarray(called, dtype=bool)
    ball = ndimage.generate_binary_structure(3, 1)
    outer = ndimage.binary_dilation(bits, ball, iterations=near)
    inner = ndimage.binary_erosion(bits, ball, iterations=near, border_value=1)
    found: Array = outer & ~inner
    return found


def of_number(answer: Value) -> float | None:
    """Return how wide the interval of a number is that is promised, or that its model expects; None without one."""
    promised = None if answer.promise is None else answer.promise.interval
    if promised is not None:
        low, high = promised
        return None if low is None or high is None else float(high - low)
    return None if answer.bounds is None else float(answer.bounds.high - answer.bounds.low)


def _binary(p: Array, by: str) -> Array:
    if by == MARGIN:
        return np.asarray(1 - np.abs(2 * p - 1))
    return entropy(np.stack([p, 1 - p], axis=-1))
