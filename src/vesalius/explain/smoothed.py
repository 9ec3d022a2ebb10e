"""Smoothed: a method of single voxels whose values are joined with their neighbours', so that noise cancels out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.question import Question

SHARE = 0.02  # of each axis: the Gaussian's sigma


class Smoothed(Method):
    """Another method's map after a Gaussian whose sigma is a fiftieth of each axis.

    Values of neighbouring voxels that speak for and against in turn, as gradients of deep networks do (Balduzzi et al.
    2017), cancel out. The sum of the map stays the same, so that what adds up to the answer still does.
    """

    def __init__(self, of: Method) -> None:
        self.of = of
        self.signed, self.sampled, self.samples, self.needs = of.signed, of.sampled, of.samples, of.needs  # type: ignore[misc]

    def refuses(self, question: Question) -> str | None:
        """Return why the other method cannot explain such a model; None where it can."""
        return self.of.refuses(question)

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        """Return the other method's map, smoothed."""
        found = self.of.attribute(question, setting)
        return replace(found, field=smooth(found.field))


def smooth(field: Array) -> Array:
    """Return a field `(Z, Y, X)` after the Gaussian; what would leave the image is reflected, so that its sum stays."""
    sigma = [SHARE * n if n > 1 else 0.0 for n in field.shape]
    return np.asarray(ndimage.gaussian_filter(field, sigma, mode="reflect"), dtype=np.float32)
