"""Occlusion: a block is moved over the image, and what the answer loses under it is what it spoke for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.question import Changed, Question

NAMES = {"occlusion": "What the answer loses where a moving block hides the image"}
SOURCE = "Zeiler and Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014, arXiv:1311.2901"


class Occlusion(Method):
    """Blocks overlap by half; a voxel's value is the mean loss of the blocks that hid it."""

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        """Return what the answer loses where a block hides the image; each covariate is hidden by itself."""
        shape = tuple(question.image.shape[1:])
        beside = question.covariates
        places = blocks(shape, setting.samples - (0 if beside is None else len(beside)))
        losses = question.itself() - question.each(_hidden(question, setting, places))
        total, times = np.zeros(shape), np.zeros(shape)
        for place, loss in zip(places, losses, strict=False):
            total[place] += loss
            times[place] += 1
        lost = None if beside is None else losses[len(places) :].astype(np.float32)
        return Attribution((total / np.maximum(times, 1)).astype(np.float32), lost)


def blocks(shape: tuple[int, ...], most: int) -> list[tuple[slice, ...]]:
    """Return at most that many blocks which cover a grid and overlap by half, as alike in length as the axes allow."""
    stride = 1
    while math.prod(max(1, math.ceil(n / stride)) for n in shape) > max(most, 1):
        stride += 1
    starts = [range(0, n, stride) for n in shape]
    return [
        tuple(
            slice(max(0, s - stride // 2), min(n, s + stride + stride // 2))
            for s, n in zip(at, shape, strict=True)
        )
        for at in itertools.product(*starts)
    ]


def _hidden(question: Question, setting: Setting, places: list[tuple[slice, ...]]) -> Iterator[Changed]:
    image, beside = question.image, question.covariates
    for place in places:
        changed = image.clone()
        changed[(slice(None), *place)] = setting.away[(slice(None), *place)]
        yield changed, beside
    if beside is not None:
        for k in range(len(beside)):
            without = beside.clone()
            without[k] = 0.0
            yield image, without


METHOD = Occlusion()
