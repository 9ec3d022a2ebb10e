"""Intensities: channels in the order that the model learned, and the steps that are done to each."""

from __future__ import annotations

from typing import Any

import numpy as np

from vesalius.exports.script.geometry import Layout, layout_of, pad, resample, turn
from vesalius.exports.script.images import COLOURS, Array, Image, Refused

TINY = 1e-8  # a deviation below this divides nothing


def chosen_channels(image: Image, count: int, planned: list[str]) -> Array:
    """Return as many channels as planned: the same ones in the learned order, the mean of colours, or grey repeated."""
    array, names = image.array, image.channels if len(image.channels) == image.array.shape[0] else ()
    coloured = tuple(names[:3]) == COLOURS
    if array.shape[0] == count:
        if not names or not planned or tuple(names) == tuple(planned):
            return array
        if sorted(names) == sorted(planned):
            return array[[names.index(name) for name in planned]]
    elif coloured and count == 1:
        return np.asarray(array[:3].mean(axis=0, keepdims=True, dtype=np.float32))
    elif coloured and count == 3 and tuple(planned) in ((), COLOURS):
        return array[:3]
    elif array.shape[0] == 1 and tuple(planned) == COLOURS and count == 3:
        return np.broadcast_to(array, (3, *array.shape[1:]))
    found = ", ".join(names) or f"{array.shape[0]} without names"
    raise Refused(
        f"the model learned from {count} channels ({', '.join(planned) or 'without names'}); found {found}"
    )


def step_taken(channel: Array, step: dict[str, Any]) -> Array:
    """Return a channel `(Z, Y, X)` float32 after one step of its preparation, as `preprocessing.json` names it."""
    do = step["do"]
    if do == "clip":
        return np.clip(channel, step["low"], step["high"])
    if do == "linear":
        return _linear(channel, step["subtract"], step["divide"])
    over = channel
    if step.get("over") == "above the mean":
        above = channel[channel > channel.mean(dtype=np.float64)]
        over = above if above.size else channel.ravel()
    if do == "own mean and deviation":
        return _linear(channel, float(over.mean(dtype=np.float64)), float(over.std(dtype=np.float64)))
    if do == "own percentiles":
        low, high = (float(p) for p in np.percentile(over, (step["low"], step["high"])))
        if high - low < TINY:
            raise Refused("an image has no contrast between two percentiles")
        return _linear(channel, low, high - low)
    if do == "own landmarks":
        return _onto_landmarks(channel, over, step)
    raise Refused(f"no step is called '{do}'")


def _linear(channel: Array, mean: float, sd: float) -> Array:
    """Return `(channel - mean) / sd` float32."""
    made = np.array(channel, np.float32)
    made -= mean
    made /= max(sd, TINY)
    return made


def _onto_landmarks(channel: Array, over: Array, step: dict[str, Any]) -> Array:
    """Return values moved from an image's own percentiles `at` to `onto`; the end pieces go on (Nyúl et al. 2000)."""
    own = np.percentile(over, step["at"]).astype(np.float64)
    if own[-1] - own[0] < TINY:
        raise Refused("an image has no contrast between its landmarks")
    least = (own[-1] - own[0]) * 1e-4
    for k in range(1, len(own)):
        own[k] = max(own[k], own[k - 1] + least)
    onto, values = np.asarray(step["onto"], np.float64), channel.astype(np.float64)
    place = np.searchsorted(own, values.ravel(), side="right").reshape(values.shape) - 1
    piece = np.clip(place, 0, len(own) - 2)
    slope = np.diff(onto) / np.diff(own)
    return np.asarray(onto[piece] + (values - own[piece]) * slope[piece], np.float32)


def prepared(images: list[Image], plan: dict[str, Any]) -> tuple[Array, Layout]:
    """Return what the model takes of one case, `(C, Z, Y, X)` float32, and how its grid lies in the first image's."""
    first = images[0]
    if len(images) != len(plan["images"]):
        raise Refused(f"the model takes the images {', '.join(plan['images'])}; found {len(images)}")
    if plan["dims"] == 2 and plan["sampling"] == "whole" and first.array.shape[1] != 1:
        raise Refused(f"the model takes single pictures; found {first.array.shape[1]} planes")
    if plan["dims"] == 3 and plan["spacing_mm"] and first.spacing_mm is None and first.array.shape[1] == 1:
        raise Refused("the model takes volumes in millimetres; found one plane without a spacing")
    each = plan["channels"] // len(images)
    parts = []
    for k, image in enumerate(images):
        if not np.isfinite(image.array).all():
            raise Refused("an image has pixels that are NaN or infinite")
        same = (
            image.affine is None or first.affine is None or np.allclose(image.affine, first.affine, atol=1e-3)
        )
        if image.array.shape[1:] != first.array.shape[1:] or not same:
            raise Refused("the images of a case lie on different grids")
        parts.append(chosen_channels(image, each, plan["channel_names"][k * each : (k + 1) * each]))
    layout = layout_of(first, plan)
    array = resample(turn(np.concatenate(parts), layout), layout.inner).astype(np.float32)
    channels = []
    for channel, steps in zip(array, plan["steps"], strict=True):
        for step in steps:
            channel = step_taken(channel, step)
        channels.append(channel)
    return pad(np.stack(channels).astype(np.float32), layout), layout
