"""Letting the steps of a harmonisation learn from training images, one after the other; and their names in one word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.core.plan import HarmoniseStep
from vesalius.prepare import harmonise
from vesalius.prepare.harmonise.contract import Fitted, Sample

LONGEST = 64  # voxels a side of what is looked at
Train = Callable[[Sequence[Sample], Mapping[str, Any]], Fitted]
NOTHING = "none"  # images as they are
THEN = "+"  # between the names of steps


def steps_of(word: str) -> tuple[HarmoniseStep, ...]:
    """Return the steps that a word such as `n4+nyul` names; none for `none`. Raises UnknownName or PlanError."""
    if word == NOTHING:
        return ()
    found = tuple(HarmoniseStep(method=name.strip()) for name in word.split(THEN))
    for step in found:
        harmonise.get(step.method)
    return found


def called(steps: Sequence[HarmoniseStep]) -> str:
    """Return what steps are called in one word."""
    return THEN.join(step.method for step in steps) or NOTHING


def shrunk(channel: Array, *, longest: int = LONGEST) -> Array:
    """Return every k-th voxel of `(Z, Y, X)` along each axis as float32, so that no side is longer than `longest`.

    Nothing is averaged, so that noise and quantiles stay what they are.
    """
    step = [max(1, -(-n // longest)) for n in channel.shape]
    return np.ascontiguousarray(channel[:: step[0], :: step[1], :: step[2]], dtype=np.float32)


def fitted_steps(
    steps: Sequence[HarmoniseStep], channels: Sequence[Sequence[Sample]], *, train: Train | None = None
) -> tuple[HarmoniseStep, ...]:
    """Return the steps after each learned from the training images of each channel, as the steps before it left them.

    A step that has learned already stays as it is. `train` finds the weights of a method that is trained by gradients.
    Raises DataError where a step cannot learn from these images, PlanError where there is nobody to train it.
    """
    done: list[HarmoniseStep] = []
    for step in steps:
        if not step.fitted and harmonise.says(step.method, "FITTED", False):
            options = harmonise.options_for(step.method, step.options)
            records = []
            for number, samples in enumerate(channels):
                made = [
                    replace(s, channel=harmonise.applied(s.channel.copy(), done, number=number)[0])
                    for s in samples
                ]
                records.append(_learned(step.method, made, options, train))
            step = step.model_copy(update={"fitted": tuple(records)})
        done.append(step)
    return tuple(done)


def _learned(
    method: str, samples: Sequence[Sample], options: Mapping[str, Any], train: Train | None
) -> Fitted:
    if not harmonise.says(method, "TRAINED", False):
        return harmonise.get(method).fit(samples, options)
    if train is None or any(s.group is None for s in samples):
        raise PlanError(
            f"harmoniser '{method}' is trained on images whose scanner is known",
            hint="--harmonise by=scanner,method=" + method,
        )
    return train(samples, options)


def has_scale(steps: Sequence[HarmoniseStep]) -> bool:
    """Return whether the steps end in one scale for all images, so that none need be normalised by itself."""
    return bool(steps) and bool(harmonise.says(steps[-1].method, "SCALE", False))


def by_image(steps: Sequence[HarmoniseStep]) -> bool:
    """Return whether some step looks at all of an image, so that the scale of its file does not matter."""
    return any(harmonise.looks_at_image(step.method) for step in steps)
