"""WhiteStripe: an MR of a brain by the mean and deviation of its normal-appearing white matter (Shinohara et al. 2014).

The white matter's peak is found in the histogram of the values above the mean: on T1 the last peak, on T2 and FLAIR the
highest. Source: NeuroImage: Clinical 6, 2014, and the authors' R package `WhiteStripe`.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import (
    TINY,
    Applied,
    Back,
    Known,
    Method,
    foreground,
    linear,
    unlinear,
)

TAKES = "image"
RANK = 40
SCALE = True
UNDO = True
OPTIONS = {"contrast": "t1", "width": 0.05}
LIMITS = {"contrast": {"in": ["t1", "t2", "flair"]}, "width": {"gt": 0, "lt": 0.5}}
BINS, SMOOTH = 200, 4.0  # of the histogram, and the deviation of its smoothing in bins
RARE = 0.2  # a peak lower than this share of the highest is none, as in the authors' package
TAIL = 99.0  # per cent: the bright tail of vessels and fat has no white matter


class WhiteStripe(Method):
    """The values within ± `width` of quantile about the white matter's peak give the mean and the deviation."""

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return `(x - mean of the stripe) / its deviation`. Raises DataError where there is no stripe."""
        options = {**OPTIONS, **known.options}
        values = np.sort(foreground(channel).astype(np.float64))
        peak = _peak(values, last=options["contrast"] == "t1")
        place = np.searchsorted(values, peak) / len(values)
        low, high = np.quantile(values, np.clip((place - options["width"], place + options["width"]), 0, 1))
        stripe = values[(values >= low) & (values <= high)]
        if len(stripe) < 2 or stripe.std() < TINY:
            raise DataError(
                "an image has no stripe of white matter",
                found=f"{len(stripe)} values about {peak:.4g}, all alike",
                hint="a wider `width`, or another method",
            )
        return linear(channel, float(stripe.mean()), float(stripe.std()))

    def undo(self, channel: Array, back: Back) -> Array:
        """Return the intensities as they were."""
        return unlinear(channel, back)


def _peak(values: Array, *, last: bool) -> float:
    """Return the value at a peak of the smoothed histogram of sorted values. Raises DataError where there is none."""
    ends = float(values[0]), float(np.percentile(values, TAIL))
    if ends[1] - ends[0] < TINY:
        raise DataError(
            "an image has no contrast to find white matter in", found=f"all of it is {ends[0]:.4g}"
        )
    counts, edges = np.histogram(values, BINS, ends)
    smooth = gaussian_filter1d(counts.astype(np.float64), SMOOTH, mode="constant")
    inner = np.flatnonzero((smooth[1:-1] >= smooth[:-2]) & (smooth[1:-1] > smooth[2:])) + 1
    peaks = [k for k in inner if smooth[k] >= RARE * smooth.max()] or [smooth.argmax()]
    chosen = peaks[-1] if last else max(peaks, key=lambda k: smooth[k])
    return float((edges[chosen] + edges[chosen + 1]) / 2)


METHOD = WhiteStripe()
