"""The part is nowhere thinner than can be made and bear a load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.shapes.design.part import Made, Part, signed
from vesalius.shapes.rules.contract import Finding, Rule

NAMES = {"thickness": "The part is nowhere thinner than can be made and bear a load"}
ORDER = 20
OPTIONS = {"least_mm": 2.0, "thin_share": 0.02}
LIMITS = {"least_mm": {"ge": 0, "le": 20}, "thin_share": {"ge": 0, "le": 1}}
_SLIVERS = 0.3  # of the part that may be slivers
_EDGE = 0.8  # radii by which a rounded opening falls short of an edge that is not thin


class Thickness(Rule):
    """Balls of the least thickness fit everywhere: thin sheets are made thicker about their middle, slivers go."""

    name: ClassVar[str] = "thickness"

    def mend(self, part: Part, values: Mapping[str, Any]) -> Part:
        """Return the part with thin sheets as thick as they must be; `clearance` cuts it to what the bone leaves."""
        least = float(values["least_mm"])
        if least <= 0 or not part.inside.any():
            return part
        thin = ndimage.binary_dilation(_thin(part.inside, part.step_mm, least + part.step_mm), iterations=2)
        ridge = thin & _middle(part.distance_mm, part.step_mm) & (part.distance_mm > -least / 2)
        if not ridge.any():
            return part
        reach = least / 2 + part.step_mm / 2
        sheet = ndimage.distance_transform_edt(~ridge, sampling=part.step_mm) <= reach
        return part.also(part.field_of(sheet))

    def finish(self, part: Part, values: Mapping[str, Any]) -> Part:
        """Return the part without slivers, which no ball of the least thickness reaches."""
        least = float(values["least_mm"])
        thin = _thin(part.inside, part.step_mm, least) if least > 0 and part.inside.any() else part.inside[:0]
        if not thin.any() or thin.sum() > _SLIVERS * part.inside.sum():
            return part  # what is thin as a whole is refused, not taken away
        return part.without(part.field_of(thin))

    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Measure which share of the part no ball of the least thickness reaches, and the largest thickness."""
        least, part = float(values["least_mm"]), made.part
        thickest = 2 * float(-part.distance_mm.min())
        share = 1.0 if thickest < least else thin_share(part.inside, part.step_mm, least)
        return Finding(
            self.name,
            share <= float(values["thin_share"]),
            f"{share:.1%} of the part is thinner than {least:g} mm; its largest thickness is {thickest:.1f} mm",
            {"thin_share": share, "thickest_mm": thickest, "least_mm": least},
            f"--rule thickness={max(thickest * 0.6, 0.5):.2g}, where the bone itself is so thin",
        )


def thin_share(inside: Array, step_mm: float, least_mm: float) -> float:
    """Return which share of a part is thinner than a length, edges left out that are not thin but end."""
    if least_mm <= 0 or not inside.any():
        return 0.0
    return float(_thin(inside, step_mm, least_mm).sum() / inside.sum())


def _thin(inside: Array, step_mm: float, least_mm: float) -> Array:
    """Return which points lie farther from every ball of that thickness inside than a rounded edge would."""
    radius = max(least_mm / 2 - step_mm / 2, 0.0)  # points stand for cubes: half a step on each side
    depth = -signed(inside, (step_mm,) * 3)
    middles = depth >= radius
    if not middles.any():
        return inside
    reach = ndimage.distance_transform_edt(~middles, sampling=step_mm)
    thin: Array = inside & (reach > radius + max(step_mm, _EDGE * radius))
    return thin


def _middle(field_mm: Array, step_mm: float) -> Array:
    """Return the points inside at which distances fold: where the field's slope is well below one."""
    slope = np.sqrt(sum(g**2 for g in np.gradient(field_mm, step_mm)))
    found: Array = (field_mm < 0) & (slope < 0.75)
    return found


RULE = Thickness()
