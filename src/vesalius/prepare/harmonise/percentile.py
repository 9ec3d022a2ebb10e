"""Each image by two of its own percentiles, which become 0 and 1; what lies beyond them goes on in the same line."""

from __future__ import annotations

from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import (
    ABOVE,
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
RANK = 20
SCALE = True
UNDO = True
OPTIONS = {"low": 1.0, "high": 99.0, "inside": True}
LIMITS = {"low": {"ge": 0, "lt": 100}, "high": {"gt": 0, "le": 100}}


class Percentile(Method):
    """Two percentiles of the values above the mean (or, without `inside`, of all) as 0 and 1."""

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return `(x - low) / (high - low)`. Raises DataError where both percentiles are the same."""
        options = {**OPTIONS, **known.options}
        over = foreground(channel) if options["inside"] else channel
        low, high = (float(p) for p in np.percentile(over, (options["low"], options["high"])))
        if high - low < TINY:
            raise DataError(
                "an image has no contrast between two percentiles",
                found=f"{options['low']:g} % and {options['high']:g} % are both {low:.4g}",
                hint="set the image aside, or percentiles further apart",
            )
        return linear(channel, low, high - low)

    def plain(self, known: Known) -> list[dict[str, Any]]:
        """Return one step."""
        options = {**OPTIONS, **known.options}
        over = ABOVE if options["inside"] else "all"
        return [{"do": "own percentiles", "low": options["low"], "high": options["high"], "over": over}]

    def undo(self, channel: Array, back: Back) -> Array:
        """Return the intensities as they were."""
        return unlinear(channel, back)


METHOD = Percentile()
