"""Intensities: from whatever an image holds to numbers a network can learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.channels import are_colours, described, order
from vesalius.core.errors import MismatchError
from vesalius.core.image import Array
from vesalius.core.plan import Normalisation
from vesalius.prepare import harmonise
from vesalius.prepare.harmonise.contract import Known, parts_of


def to_channels(
    array: Array, channels: int, *, names: Sequence[str] = (), planned: Sequence[str] = ()
) -> Array:
    """Return `(C, Z, Y, X)` with as many channels as planned, each what it was when the network learned.

    `names` are what the image's channels are called, `planned` what those that were learned from are; either may be
    empty where nobody says. Channels of the same names are put into the learned order. Red, green and blue become grey
    by their mean, and grey is repeated where colours were learned from; nothing else is made of anything else.
    Raises MismatchError, naming both sides.
    """
    count = array.shape[0]
    names = names if len(names) == count else ()
    coloured = are_colours(names)
    if count == channels:
        places = order(names, planned) if names and planned else tuple(range(count))
        if places is not None:
            return array if places == tuple(range(count)) else array[list(places)]
    elif coloured and channels == 1:
        grey: Array = array[:3].mean(axis=0, keepdims=True, dtype=np.float32)
        return grey
    elif coloured and channels == 3 and (not planned or are_colours(planned)):
        return array[:3]
    elif count == 1 and are_colours(planned) and channels == 3:
        return np.broadcast_to(array, (channels, *array.shape[1:]))
    raise MismatchError(
        "an image with other channels than were learned from",
        found=f"{described(count, names)}, learned from {described(channels, planned)}",
        hint=_mend(count, channels, names, planned),
    )


def _mend(count: int, channels: int, names: Sequence[str], planned: Sequence[str]) -> str:
    """Return what to try where channels do not fit."""
    if count == channels:
        return "images with the channels that were learned from"
    if channels == 1:
        return "one channel as an image of its own; only red, green and blue are made grey"
    if count == 1 and not are_colours(planned):
        return "an image with all of the channels, or a bundle that learned from one"
    return "images with as many channels, or a bundle that learned from such"


def normalise(array: Array, plans: Sequence[Normalisation], *, inside: Array | None = None) -> Array:
    """Apply one Normalisation a channel to `(C, Z, Y, X)` in place where it is float32; returns float32.

    One that is `masked` sees and changes only what is `inside`, bool `(Z, Y, X)`. Values that are not finite become
    the channel's lower limit or, without one, its finite minimum.
    """
    array = np.array(array, dtype=np.float32, copy=None)
    if not array.flags.writeable:
        array = array.copy()
    for channel, plan in zip(array, plans, strict=True):
        for part in parts_of(channel):
            _finite(part, plan)
            if plan.low is not None or plan.high is not None:
                np.clip(part, plan.low, plan.high, out=part)
        if plan.masked and inside is not None:
            channel[inside] = _applied(channel[inside][None, None], plan)[0, 0]
        elif harmonise.looks_at_image(plan.method):
            made = _applied(channel, plan)
            if not np.may_share_memory(made, channel):
                channel[...] = made
        else:
            for part in parts_of(channel):
                part[...] = _applied(part, plan)
    return array


def _applied(channel: Array, plan: Normalisation) -> Array:
    """Return `(Z, Y, X)` float32 after the method of a plan; it may be changed in place."""
    numbers = {"low": plan.low, "high": plan.high, "mean": plan.mean, "sd": plan.sd}
    known = Known(harmonise.options_for(plan.method, {}), numbers)
    return harmonise.get(plan.method).apply(channel, known).channel


def _finite(channel: Array, plan: Normalisation) -> None:
    good = np.isfinite(channel)
    if not good.all():
        fill = plan.low if plan.low is not None else (float(channel[good].min()) if good.any() else 0.0)
        channel[~good] = fill
