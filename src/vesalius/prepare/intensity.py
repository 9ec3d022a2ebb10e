"""Intensities: from whatever an image holds to numbers a network can learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.plan import Normalisation


def to_channels(array: Array, channels: int) -> Array:
    """`(C, Z, Y, X)` with as many channels as planned: grey is repeated, colour averaged. Raises DataError."""
    if array.shape[0] == channels:
        return array
    if array.shape[0] == 1:
        return np.broadcast_to(array, (channels, *array.shape[1:]))
    if channels == 1 and array.shape[0] in (3, 4):
        grey: Array = array[:3].mean(axis=0, keepdims=True, dtype=np.float32)
        return grey
    raise DataError("an image with another number of channels", found=f"{array.shape[0]}, planned {channels}")


def normalise(array: Array, plans: Sequence[Normalisation]) -> Array:
    """Apply one Normalisation a channel to `(C, Z, Y, X)` in place where it is float32; returns float32.

    Values that are not finite become the channel's lower limit or, without one, its finite minimum.
    """
    array = np.array(array, dtype=np.float32, copy=None)
    if not array.flags.writeable:
        array = array.copy()
    for channel, plan in zip(array, plans, strict=True):
        _finite(channel, plan)
        if plan.low is not None or plan.high is not None:
            np.clip(channel, plan.low, plan.high, out=channel)
        if plan.method == "zscore":
            mean, sd = float(channel.mean(dtype=np.float64)), float(channel.std(dtype=np.float64))
        elif plan.method == "fixed":
            mean, sd = plan.mean or 0.0, plan.sd or 1.0
        else:
            low, high = plan.low or 0.0, plan.high if plan.high is not None else 1.0
            mean, sd = (low + high) / 2, (high - low) / 2
        channel -= mean
        channel /= max(sd, 1e-8)
    return array


def _finite(channel: Array, plan: Normalisation) -> None:
    good = np.isfinite(channel)
    if not good.all():
        fill = plan.low if plan.low is not None else (float(channel[good].min()) if good.any() else 0.0)
        channel[~good] = fill
