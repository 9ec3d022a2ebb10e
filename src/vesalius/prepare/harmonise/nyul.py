"""Nyúl and Udupa's standard scale: landmarks of each image's histogram are laid on those of the training images.

Source: Nyúl, Udupa and Zhang 2000, IEEE Transactions on Medical Imaging 19(2); landmarks at deciles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import (
    ABOVE,
    TINY,
    Applied,
    Back,
    Fitted,
    Known,
    Method,
    Sample,
    foreground,
)

TAKES = "image"
RANK = 30
SCALE = True
FITTED = True
UNDO = True
OPTIONS = {"low": 1.0, "high": 99.0}
LIMITS = {"low": {"ge": 0, "lt": 10}, "high": {"gt": 90, "le": 100}}
TOP = 100.0  # of the standard scale; its lowest landmark is 0


class Nyul(Method):
    """A line of straight pieces through an image's own landmarks, which become the standard ones."""

    def fit(self, samples: Iterable[Sample], options: Mapping[str, Any]) -> Fitted:
        """Return the standard landmarks: the mean over images, each first scaled to 0 to 100 by its ends."""
        found = []
        for one in samples:
            marks = _landmarks(one.channel, options)
            found.append((marks - marks[0]) / (marks[-1] - marks[0]) * TOP)
        if not found:
            raise DataError("Nyúl's landmarks need training images, and there are none")
        return {"landmarks": [float(x) for x in _rising(np.mean(found, axis=0))]}

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return the image on the standard scale. Raises DataError for one without contrast."""
        own = _landmarks(channel, {**OPTIONS, **known.options})
        standard = np.asarray(known.fitted["landmarks"], np.float64)
        return Applied(_mapped(channel, own, standard), {"from": standard.tolist(), "to": own.tolist()})

    def plain(self, known: Known) -> list[dict[str, Any]]:
        """Return one step."""
        options = {**OPTIONS, **known.options}
        at = [options["low"], *range(10, 100, 10), options["high"]]
        return [{"do": "own landmarks", "at": at, "onto": list(known.fitted["landmarks"]), "over": ABOVE}]

    def undo(self, channel: Array, back: Back) -> Array:
        """Return the intensities as they were."""
        return _mapped(channel, np.asarray(back["from"]), np.asarray(back["to"]))


def _landmarks(channel: Array, options: Mapping[str, Any]) -> Array:
    """Return the ends and the deciles of an image's values above its mean, strictly rising. Raises DataError."""
    at = (options["low"], *range(10, 100, 10), options["high"])
    marks: Array = np.percentile(foreground(channel), at).astype(np.float64)
    if marks[-1] - marks[0] < TINY:
        raise DataError(
            "an image has no contrast between Nyúl's landmarks",
            found=f"all of it is about {marks[0]:.4g}",
            hint="set the image aside",
        )
    return _rising(marks)


def _rising(marks: Array) -> Array:
    """Return landmarks of which none equals the one before it, so that there is a way back."""
    least = (marks[-1] - marks[0]) * 1e-4
    rising = marks.copy()
    for k in range(1, len(rising)):
        rising[k] = max(rising[k], rising[k - 1] + least)
    return rising


def _mapped(channel: Array, own: Array, onto: Array) -> Array:
    """Return values moved from landmarks onto others; beyond the ends the first and the last piece go on."""
    values = channel.astype(np.float64)
    piece = np.clip(np.searchsorted(own, values.ravel(), side="right") - 1, 0, len(own) - 2).reshape(
        values.shape
    )
    slope = np.diff(onto) / np.diff(own)
    moved: Array = (onto[piece] + (values - own[piece]) * slope[piece]).astype(np.float32)
    return moved


METHOD = Nyul()
