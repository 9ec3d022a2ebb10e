"""The trivial answer for instances: Otsu's threshold, split by a watershed of the distance to the background."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array


def baseline(grey: Array, *, brighter: bool, radius: float) -> Array:
    """Return ids `(Z, Y, X)` int32 of what lies beyond Otsu's threshold, a seed at each peak of the distance inside.

    `radius` is that of a typical thing in voxels: peaks lie at least so far apart, and what has less than a tenth of
    its size is left out.
    """
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    if float(grey.min()) == float(grey.max()):
        return np.zeros(grey.shape, dtype=np.int32)
    at = threshold_otsu(grey)  # type: ignore[no-untyped-call]
    called = ndimage.binary_fill_holes(grey > at if brighter else grey < at)
    flat = grey.shape[0] == 1
    distance = ndimage.distance_transform_edt(called[0] if flat else called)
    shown = called[0] if flat else called
    apart = max(1, round(radius * 0.7))
    peaks = peak_local_max(distance, min_distance=apart, labels=shown.astype(int))  # type: ignore[no-untyped-call]
    markers = np.zeros(distance.shape, dtype=np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    found = watershed(-distance, markers, mask=shown).astype(np.int32)  # type: ignore[no-untyped-call]
    ids = found[None] if flat else found
    sizes = np.bincount(ids.ravel())
    least = 0.1 * (np.pi * radius**2 if flat else 4 / 3 * np.pi * radius**3)
    kept = (sizes >= least) & (np.arange(len(sizes)) > 0)
    numbers: Array = (np.cumsum(kept) * kept).astype(np.int32)[ids]
    return numbers
