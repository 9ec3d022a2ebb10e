"""Each image by its own mean and standard deviation, over all of its voxels or over what is brighter than the mean."""

from __future__ import annotations

from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import (
    Applied,
    Back,
    Known,
    Method,
    foreground,
    linear,
    moments,
    unlinear,
)

TAKES = "image"
RANK = 10
SCALE = True
UNDO = True
OPTIONS = {"inside": False}


class ZScore(Method):
    """The z-score of an image; with `inside` its mean and deviation are those of the values above the mean."""

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return `(x - mean) / sd`."""
        over = foreground(channel) if known.options.get("inside") else channel
        return linear(channel, *moments(over))

    def undo(self, channel: Array, back: Back) -> Array:
        """Return the intensities as they were."""
        return unlinear(channel, back)


METHOD = ZScore()
