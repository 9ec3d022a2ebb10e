"""The contract of a harmoniser: one file in `prepare/harmonise/`, ending in `METHOD = …()`.

The file declares, as literals that are read without importing it:

    TAKES = "image"        what it makes comparable: `image`, a channel's intensities, or `features`, columns of numbers
    RANK = 20              its place among those that are tried until a threshold holds; absent where it is not tried
    SCALE = True           its output has one scale for all images, so that a plan need not normalise it image by image
    FITTED = True          it learns from training images before it can be applied; `TRAINED` where by gradients, above
    PLANNED = True         what it learns are the numbers of a plan's `data.normalise`: low, high, mean, sd
    UNDO = True            what it did to an image can be undone
    LOCAL = True           what it does to a voxel depends on its place, so that frames of a cine are changed one by one
    UNIT = "HU"            the unit that images must have
    OPTIONS, LIMITS        its own options (see `core/options.py`);  EXTRA the extra that brings its library
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vesalius.core import scratch
from vesalius.core.errors import DataError
from vesalius.core.image import Array

Fitted = dict[str, Any]  # numbers, texts and lists of numbers, as a plan holds them
Back = Mapping[str, Any]  # what is needed to undo a change of one channel
TINY = 1e-8  # a deviation below this divides nothing


@dataclass(frozen=True, eq=False)
class Sample:
    """One channel `(Z, Y, X)` float32 of a training image, made ready but for its intensities, and its scanner."""

    channel: Array
    group: str | None = None
    subject: str | None = None


@dataclass(frozen=True)
class Known:
    """The options of a method, and what it learned of training images; empty where it learns nothing."""

    options: Mapping[str, Any] = field(default_factory=dict)
    fitted: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Applied:
    """A changed channel `(Z, Y, X)` float32, and what is needed to undo the change."""

    channel: Array
    back: Back = field(default_factory=dict)


class Method:
    """A harmoniser of images. What it is given may be changed in place."""

    def fit(self, samples: Iterable[Sample], options: Mapping[str, Any]) -> Fitted:
        """Return what is learned of training images; nothing by default. `samples` can be gone through again."""
        return {}

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return a channel with changed intensities. Raises DataError where it cannot be done."""
        raise NotImplementedError

    def undo(self, channel: Array, back: Back) -> Array:
        """Return a channel as it was before, up to rounding. Raises DataError where there is no way back."""
        raise DataError("this harmoniser cannot be undone", hint="a method that says UNDO = True")


def foreground(channel: Array) -> Array:
    """Return the values above the mean, which in an image of a body in air are the body's; all where none are."""
    inside: Array = channel[channel > channel.mean(dtype=np.float64)]
    return inside if inside.size else channel.ravel()


def parts_of(channel: Array) -> Iterator[Array]:
    """Yield a channel as it is; of one that lies in a file, planes after planes, whose pages are then let go."""
    if not scratch.in_file(channel):
        yield channel
        return
    for rows in scratch.in_chunks(channel):
        yield channel[rows]


def moments(channel: Array) -> tuple[float, float]:
    """Return the mean and the standard deviation of all values, as float64 has them."""
    if not scratch.in_file(channel):
        return float(channel.mean(dtype=np.float64)), float(channel.std(dtype=np.float64))
    mean = sum(float(part.sum(dtype=np.float64)) for part in parts_of(channel)) / channel.size
    squares = sum(float(((part - np.float64(mean)) ** 2).sum()) for part in parts_of(channel))
    return mean, float(np.sqrt(squares / channel.size))


def linear(channel: Array, mean: float, sd: float) -> Applied:
    """Return `(channel - mean) / sd`, made in place, with the way back."""
    sd = max(sd, TINY)
    for part in parts_of(channel):
        part -= mean
        part /= sd
    return Applied(channel, {"mean": mean, "sd": sd})


def unlinear(channel: Array, back: Back) -> Array:
    """Return what `linear` changed, as it was."""
    was: Array = (channel * np.float32(back["sd"]) + np.float32(back["mean"])).astype(np.float32, copy=False)
    return was
