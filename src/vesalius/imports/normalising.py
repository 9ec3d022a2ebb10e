"""How images are normalised, in the words that a person says it with: `imagenet`, `zscore`, `none`, `0..255`."""

from __future__ import annotations

import math
import re
from typing import Any

from vesalius.core.errors import PlanError

IMAGENET = (
    (123.675, 116.28, 103.53),
    (58.395, 57.12, 57.375),
)  # mean and sd of colours, on the scale 0 to 255
WORDS = "imagenet, zscore, none, LOW..HIGH (to 0 and 1) or MEAN/SD"
_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"


def entries(word: str, channels: int) -> list[dict[str, Any]]:
    """Return what a word says as `data.normalise` has it, an entry a channel.

    `imagenet` is that of pictures in red, green and blue, from 0 to 255; `zscore` measures each image by itself; `none`
    leaves values as they are; `-1000..400` is cut off outside and becomes 0 to 1; `120/60` is a mean and a deviation.
    Raises PlanError for other words.
    """
    if word == "imagenet":
        if channels != 3:
            raise PlanError("imagenet is of red, green and blue", found=f"{channels} channels", hint=WORDS)
        return [{"method": "fixed", "mean": m, "sd": s} for m, s in zip(*IMAGENET, strict=True)]
    if word == "zscore":
        return [{"method": "zscore"}] * channels
    if word == "none":
        return [linear(0.0, 1.0)] * channels
    if (found := re.fullmatch(rf"({_NUMBER})\.\.({_NUMBER})", word)) is not None:
        low, high = float(found[1]), float(found[2])
        if not low < high or not math.isfinite(high - low):
            raise PlanError("a range to normalise goes up", found=word, hint="--normalise 0..255")
        return [{**linear(low, high - low), "low": low, "high": high}] * channels
    if (found := re.fullmatch(rf"({_NUMBER})/({_NUMBER})", word)) is not None and float(found[2]) > 0:
        return [linear(float(found[1]), float(found[2]))] * channels
    raise PlanError("no way of normalising is called so", found=word, hint=WORDS)


def linear(mean: float, sd: float) -> dict[str, Any]:
    """Return `(x - mean) / sd` as a plan has it."""
    return {"method": "fixed", "mean": mean, "sd": sd}
