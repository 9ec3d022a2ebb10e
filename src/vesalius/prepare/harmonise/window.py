"""A Hounsfield window by name, as a radiologist sets it, mapped to 0 to 1; what lies outside of it is cut off."""

from __future__ import annotations

from typing import Any

import numpy as np

from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import Applied, Known, Method, linear

NAMES = {
    "window": "A Hounsfield window by its `centre` and its `width`, mapped to 0 to 1",
    "window-lung": "The lung window of a CT, -1350 to 150 HU, mapped to 0 to 1",
    "window-mediastinum": "The soft-tissue window of a CT, -160 to 240 HU, mapped to 0 to 1",
    "window-liver": "The liver window of a CT, -45 to 105 HU, mapped to 0 to 1",
    "window-brain": "The brain window of a CT, 0 to 80 HU, mapped to 0 to 1",
    "window-bone": "The bone window of a CT, -450 to 1050 HU, mapped to 0 to 1",
}
TAKES = "image"
SCALE = True
UNIT = "HU"
OPTIONS = {"centre": 40.0, "width": 400.0}
LIMITS = {"width": {"gt": 0}}
NAMED = {
    "window-lung": (-600.0, 1500.0),
    "window-mediastinum": (40.0, 400.0),
    "window-liver": (30.0, 150.0),
    "window-brain": (40.0, 80.0),
    "window-bone": (300.0, 1500.0),
}  # centre and width in HU


class Window(Method):
    """The window `centre` ± half its `width`, in Hounsfield units, as 0 to 1."""

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return the window mapped to 0 to 1."""
        options = {**OPTIONS, **known.options}
        low, width = options["centre"] - options["width"] / 2, options["width"]
        np.clip(channel, low, low + width, out=channel)
        return linear(channel, low, width)

    def plain(self, known: Known) -> list[dict[str, Any]]:
        """Return the cut and one linear step."""
        options = {**OPTIONS, **known.options}
        low, width = options["centre"] - options["width"] / 2, options["width"]
        return [
            {"do": "clip", "low": low, "high": low + width},
            {"do": "linear", "subtract": low, "divide": width},
        ]


METHOD = Window()


def options_for(name: str, given: dict[str, object]) -> dict[str, object]:
    """Return the options of a window by its name. Raises PlanError where one that has a name is given others."""
    if name not in NAMED:
        return given
    if given:
        raise PlanError(
            f"{name} has its centre and width already", found=str(given), hint="window, with options"
        )
    return {"centre": NAMED[name][0], "width": NAMED[name][1]}
