"""How faithful an explanation is: measured on the model itself, beside chance and beside the middle of the image."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from scipy import stats
from torch import nn

from vesalius.core.image import Array
from vesalius.explain.contract import Setting
from vesalius.explain.question import Changed, Question

STEPS = 16
BY_CHANCE = 3  # random orders, whose mean stands for chance
Again = Callable[[Question], Array]  # the map that a method makes of a question


def order(field: Array, *, seed: int = 0) -> Array:
    """Return the voxels of a field from the one that speaks most for the answer; ties in a random order."""
    flat = np.asarray(field, dtype=np.float64).ravel()
    shuffled = np.random.default_rng(seed).permutation(flat.size)
    return shuffled[np.argsort(-flat[shuffled], kind="stable")]


def curve(question: Question, setting: Setting, ranked: Array, *, insert: bool, steps: int = STEPS) -> Array:
    """Return what the models say, `(steps + 1,)`, as the voxels of `ranked` are taken away, or put back, in turn."""
    shape = tuple(question.image.shape[1:])
    first, second = (setting.away, question.image) if insert else (question.image, setting.away)

    def changed() -> Iterator[Changed]:
        for step in range(steps + 1):
            bits = np.zeros(ranked.size, dtype=bool)
            bits[ranked[: round(step * ranked.size / steps)]] = True
            where = torch.from_numpy(bits.reshape(shape)).to(first.device)
            yield torch.where(where[None], second, first), question.covariates

    return question.each(changed())


def area(answers: Array, *, whole: float, nothing: float) -> float:
    """Return a curve's mean height: 1 is what the whole image gives, 0 what nothing gives; NaN if these are alike."""
    if abs(whole - nothing) < 1e-6:
        return float("nan")
    heights = (answers - nothing) / (whole - nothing)
    return float(np.mean((heights[1:] + heights[:-1]) / 2))


def gain(question: Question, setting: Setting, field: Array) -> dict[str, float]:
    """Return deletion and insertion of a field (Petsiuk et al. 2018), and of both together how far they lie apart.

    A good map falls at once when its voxels are taken away (a low deletion) and rises at once when they are put back (a
    high insertion). `gain` is insertion minus deletion: 0 where the order says nothing.
    """
    ranked = order(field, seed=setting.seed)
    taken = curve(question, setting, ranked, insert=False)
    put = curve(question, setting, ranked, insert=True)
    whole, nothing = float(taken[0]), float(put[0])
    found = {
        "deletion": area(taken, whole=whole, nothing=nothing),
        "insertion": area(put, whole=whole, nothing=nothing),
    }
    return found | {"gain": found["insertion"] - found["deletion"]}


def by_chance(question: Question, setting: Setting) -> float:
    """Return the mean gain of random orders that are as smooth as the pieces of an image are."""
    random = np.random.default_rng(setting.seed + 1)
    shape = tuple(question.image.shape[1:])
    coarse = [min(8, n) for n in shape]
    found = []
    for _ in range(BY_CHANCE):
        field = random.standard_normal(coarse)
        for axis, n in enumerate(shape):
            field = np.repeat(field, -(-n // coarse[axis]), axis=axis)
        z, y, x = shape
        found.append(gain(question, setting, field[:z, :y, :x])["gain"])
    return float(np.mean(found))


def middle(shape: Sequence[int]) -> Array:
    """Return a field that is highest in the middle of the image and falls to its edges: the centre prior."""
    axes = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape]
    distance = sum(grid**2 for grid in np.meshgrid(*axes, indexing="ij"))
    field: Array = np.exp(-np.asarray(distance)).astype(np.float32)
    return field


def alike(one: Array, other: Array) -> float:
    """Return Spearman's rank correlation of two fields; 0 where one of them is the same everywhere."""
    a, b = np.asarray(one).ravel(), np.asarray(other).ravel()
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.spearmanr(a, b).statistic)


def infidelity(question: Question, setting: Setting, field: Array, *, samples: int = 24) -> float:
    """Return how badly a field foretells what the answer loses where blocks are hidden (Yeh et al. 2019), from 0 to 1.

    It is one minus the squared correlation of the losses with the field's sums over the blocks: the best scale of the
    field is taken, as the authors do.
    """
    random = np.random.default_rng(setting.seed + 2)
    shape = tuple(question.image.shape[1:])
    places = []
    for _ in range(samples):
        lengths = [max(1, round(n * random.uniform(0.15, 0.4))) if n > 1 else 1 for n in shape]
        starts = [int(random.integers(0, n - m + 1)) for n, m in zip(shape, lengths, strict=True)]
        places.append(tuple(slice(s, s + m) for s, m in zip(starts, lengths, strict=True)))

    def changed() -> Iterator[Changed]:
        for place in places:
            image = question.image.clone()
            image[(slice(None), *place)] = setting.away[(slice(None), *place)]
            yield image, question.covariates

    losses = question.itself() - question.each(changed())
    sums = np.array([float(field[place].sum()) for place in places])
    if np.ptp(losses) == 0 or np.ptp(sums) == 0:
        return 1.0
    return float(1 - np.corrcoef(losses, sums)[0, 1] ** 2)


def stability(question: Question, again: Again, field: Array, *, seed: int, times: int = 2) -> float:
    """Return the least rank correlation with the maps of the same image under noise of 2 % of its spread."""
    random = np.random.default_rng(seed + 3)
    found = []
    image = question.image.cpu().numpy()
    for _ in range(times):
        noisy = image + 0.02 * float(image.std()) * random.standard_normal(image.shape).astype(np.float32)
        found.append(alike(field, again(question.about(noisy))))
    return min(found)


def with_other_weights(question: Question, seed: int) -> Question:
    """Return the question to models of the same make that have learned nothing (see `shuffled`)."""
    return question.of(shuffled(question.models, seed))


def shuffled(models: Sequence[nn.Module], seed: int) -> list[nn.Module]:
    """Return copies of models whose every weight is drawn anew.

    Parameters are permuted within themselves, which keeps their size and breaks what they learned.
    """
    generator = torch.Generator().manual_seed(seed)
    others = []
    for model in models:
        other = copy.deepcopy(model)
        with torch.no_grad():
            for value in other.parameters():
                mixed = value.flatten()[torch.randperm(value.numel(), generator=generator).to(value.device)]
                value.copy_(mixed.reshape(value.shape))
        others.append(other.eval())
    return others
