"""Experts of known skill who look at a phantom: three good ones, and two poor ones who err together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.phantom.common.fields import correlated_noise
from vesalius.phantom.common.streams import stream

SHARED = 0.85  # of what the last two say, they say together
STREAM = 70  # the first stream of experts
STILL = 1e-3  # voxels: too little to smooth anything


@dataclass(frozen=True)
class Expert:
    """How an expert errs: chances to call what is there and not to call what is not; and how outlines stray.

    An outline lies `bias` too far out, and strays by `stray`, both as shares of the radius. `follows` is the expert
    with whom errors are shared.
    """

    name: str
    sensitivity: float
    specificity: float
    bias: float
    stray: float
    follows: int | None = None


EXPERTS = (
    Expert("A", 0.94, 0.92, 0.00, 0.05),
    Expert("B", 0.90, 0.88, 0.05, 0.08),
    Expert("C", 0.84, 0.86, -0.05, 0.10),
    Expert("D", 0.68, 0.66, 0.10, 0.45),
    Expert("E", 0.68, 0.66, 0.10, 0.45, follows=3),
)


def chosen(number: int) -> tuple[Expert, ...]:
    """Return the first experts. Raises DataError for one alone, or more than there are."""
    if number and not 2 <= number <= len(EXPERTS):
        raise DataError(
            "a phantom is seen by no experts, or by some", found=str(number), hint=f"2 to {len(EXPERTS)}"
        )
    return EXPERTS[:number]


def calls(experts: tuple[Expert, ...], seed: int, index: int, *, positive: bool) -> dict[str, bool]:
    """Return what each expert calls a patient."""
    drawn = stream(seed, index, STREAM).random((len(EXPERTS), 2))
    found: dict[str, bool] = {}
    for k, expert in enumerate(experts):
        source = expert.follows if expert.follows is not None and drawn[k, 1] < SHARED else k
        right = drawn[source, 0] < (expert.sensitivity if positive else expert.specificity)
        found[expert.name] = bool(right) == positive
    return found


def masks(
    experts: tuple[Expert, ...], seed: int, index: int, depth: Array, *, reach: float
) -> dict[str, Array]:
    """Return each expert's mask of a thing, `(Z, Y, X)` bool.

    `depth` is how deep each voxel lies in it, above 0 inside and 1 in its middle. `reach` in voxels is how far along an
    outline one error lasts.
    """
    planes, rows, columns = (reach if n > 1 else STILL for n in depth.shape)
    fields = [
        correlated_noise(
            stream(seed, index, STREAM + 1 + k), depth.shape, sigma_voxels=(planes, rows, columns)
        )
        for k in range(len(experts))
    ]
    found = {}
    for k, expert in enumerate(experts):
        field = fields[k]
        if expert.follows is not None:
            field = np.sqrt(SHARED) * fields[expert.follows] + np.sqrt(1 - SHARED) * field
        found[expert.name] = depth + expert.bias + expert.stray * field > 0
    return found


def known(experts: tuple[Expert, ...], said: str) -> dict[str, Any]:
    """Return what truth.json says of the experts of a whole cohort."""
    each: dict[str, Any] = {}
    for expert in experts:
        rates = {"sensitivity": expert.sensitivity, "specificity": expert.specificity}
        outline = {"bias": expert.bias, "stray": expert.stray}
        each[expert.name] = rates if said == "class" else outline
        if expert.follows is not None:
            each[expert.name]["errs_with"] = EXPERTS[expert.follows].name
    return each


def measured(mask: Array, truth: Array) -> dict[str, int]:
    """Return how many voxels an expert marked, how many there are, and how many of these were marked."""
    return {"marked": int(mask.sum()), "true": int(truth.sum()), "both": int((mask & truth).sum())}
