"""Plain filters that restore without learning: none, Gaussians and medians; and which suits some cases best."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vesalius.core.image import Array

AS_IT_IS = "as it is"
FILTERS = (AS_IT_IS, "gaussian 0.5", "gaussian 1", "gaussian 1.5", "median 3", "median 5")


def filtered(array: Array, name: str) -> Array:
    """Return `(C, Z, Y, X)` after one of `FILTERS`, float32: along axes of more than one voxel, at the border mirrored.

    A number is a Gaussian's standard deviation or the side of a median's window, in voxels.
    """
    from scipy.ndimage import gaussian_filter, median_filter

    x = array.astype(np.float32)
    kind, _, size = name.partition(" ")
    if name == AS_IT_IS:
        return x
    if kind == "gaussian":
        return np.asarray(gaussian_filter(x, [0.0, *(float(size) if n > 1 else 0.0 for n in x.shape[1:])]))
    return np.asarray(median_filter(x, [1, *(int(size) if n > 1 else 1 for n in x.shape[1:])]))


def best(pairs: Iterable[tuple[Array, Array]]) -> str:
    """Return the filter with the smallest mean squared error over pairs of an image and what it ought to be.

    Each pair counts by its truth's own reach, so that no bright image decides.
    """
    errors = dict.fromkeys(FILTERS, 0.0)
    for worse, clean in pairs:
        reach = float(np.ptp(clean)) or 1.0
        for name in FILTERS:
            errors[name] += float((((filtered(worse, name) - clean) / reach) ** 2).mean())
    return min(errors, key=lambda name: errors[name])
