"""A window that is the same for all images, mapped to -1 to 1; what lies outside of it is cut off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import Applied, Fitted, Known, Method, Sample, linear

TAKES = "image"
FITTED = True
PLANNED = True


class Unit(Method):
    """The window from `low` to `high`, learned as the median of the training images' 0.5 and 99.5 %, as -1 to 1."""

    def fit(self, samples: Iterable[Sample], options: Mapping[str, Any]) -> Fitted:
        """Return the window."""
        ends = np.median([np.percentile(one.channel, (0.5, 99.5)) for one in samples], axis=0)
        return {"low": float(ends[0]), "high": float(ends[1])}

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return the window mapped to -1 to 1."""
        given = known.fitted
        high = given.get("high")
        low, high = given.get("low") or 0.0, 1.0 if high is None else high
        if given.get("low") is not None or given.get("high") is not None:
            np.clip(channel, given.get("low"), given.get("high"), out=channel)
        return linear(channel, (low + high) / 2, (high - low) / 2)

    def plain(self, known: Known) -> list[dict[str, Any]]:
        """Return the cut and one linear step."""
        low, high = known.fitted.get("low"), known.fitted.get("high")
        bottom, top = low or 0.0, 1.0 if high is None else high
        cut = [] if low is None and high is None else [{"do": "clip", "low": low, "high": high}]
        return [*cut, {"do": "linear", "subtract": (bottom + top) / 2, "divide": (top - bottom) / 2}]


METHOD = Unit()
