"""Degradations: one file = one way in which an image gets worse, at amounts in a unit that it states."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.registry import held

if TYPE_CHECKING:
    from vesalius.prepare.degradations.contract import Degradation

KIND = "prepare.degradations"


def get(name: str) -> Degradation:
    """Return the degradation of that registered name. Raises UnknownName."""
    found: Degradation = held(KIND, name, "DEGRADATION")
    return found


def degraded(image: Image, name: str, amount: float, *, seed: int) -> Image:
    """Return the image made worse by an amount in the degradation's unit, on the same grid.

    The array keeps its type; values stay within the image's own lowest and highest one, whole numbers stay whole. The
    same seed gives the same image. A cine is made worse frame by frame. Raises UnknownName, and DataError for an amount
    or an image that the degradation does not know.
    """
    way = get(name)
    way.assert_amount(amount, name)
    if not np.isfinite(image.array).all():
        raise DataError("the image has values that are not finite, which cannot be made worse")
    if amount == way.clean:
        return image
    way.assert_fits(image)
    generator = np.random.default_rng(seed)
    if image.times_s is None:
        return replace(image, array=way.worse(image, amount, generator))
    frames = [replace(image, array=one, times_s=None) for one in image.array]
    return replace(image, array=np.stack([way.worse(one, amount, generator) for one in frames]))
