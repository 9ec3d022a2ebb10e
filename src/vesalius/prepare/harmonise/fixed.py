"""All images by one mean and standard deviation, those of the training images: for intensities that mean something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import Applied, Back, Fitted, Known, Method, Sample, linear, unlinear

TAKES = "image"
FITTED = True
PLANNED = True
UNDO = True


class Fixed(Method):
    """One mean and deviation for all images, so that what differs between images stays."""

    def fit(self, samples: Iterable[Sample], options: Mapping[str, Any]) -> Fitted:
        """Return the mean and the deviation over all voxels of the images."""
        n, first, second = 0, 0.0, 0.0
        for one in samples:
            values = one.channel.astype(np.float64)
            n, first, second = n + values.size, first + float(values.sum()), second + float((values**2).sum())
        mean = first / max(n, 1)
        return {"mean": mean, "sd": float(np.sqrt(max(second / max(n, 1) - mean**2, 0.0)))}

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return `(x - mean) / sd`."""
        return linear(channel, known.fitted.get("mean") or 0.0, known.fitted.get("sd") or 1.0)

    def plain(self, known: Known) -> list[dict[str, Any]]:
        """Return one linear step."""
        return [
            {
                "do": "linear",
                "subtract": known.fitted.get("mean") or 0.0,
                "divide": known.fitted.get("sd") or 1.0,
            }
        ]

    def undo(self, channel: Array, back: Back) -> Array:
        """Return the intensities as they were."""
        return unlinear(channel, back)


METHOD = Fixed()
