"""The outer mask: voxels that a promise takes in beside a mask, so that few of the true ones are missed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

import numpy as np

from vesalius.answers.contract import Kept
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.levels import PER_STEP, SPAN, STEPS
from vesalius.core.promise import LEVELS, Limits, Promise
from vesalius.core.words import counted, listed

OUTER = "outer"  # the part of a mask that holds it
Bits = Callable[[int], Array]  # the place of a label → where it truly is, `(Z, Y, X)`


def with_levels(mask: Mask, levels: Array) -> Mask:
    """Return the mask with how likely each label is at each voxel, `(K, Z, Y, X)` in steps of `core/levels.py`."""
    image = replace(mask.image, array=levels, channels=())
    return replace(mask, parts={**mask.parts, LEVELS: Map(image=image, quantity="log-odds in steps")})


def levels_of(mask: Mask) -> Array:
    """Return how likely each label is at each voxel, `(K, Z, Y, X)`. Raises DataError where the mask does not say."""
    if LEVELS not in mask.parts:
        raise DataError(
            "nothing can be promised of these masks: they do not say how likely each voxel is",
            hint="a task whose file has `levels`",
        )
    return cast(Map, mask.parts[LEVELS]).image.array


def chances_of(mask: Mask) -> Array:
    """Return the chances `(K, Z, Y, X)` float16 that the levels of a mask stand for, each in the middle of its step."""
    middles = np.arange(STEPS) * PER_STEP + PER_STEP / 2 - SPAN
    table = (1 / (1 + np.exp(-middles))).astype(np.float16)
    found: Array = table[levels_of(mask)]
    return found


def missed(mask: Mask, bits: Bits) -> Iterator[tuple[str, Array]]:
    """Yield for each label that is there which share of its voxels an outer mask would miss, `(STEPS + 1,)`.

    Place k is the share where the mask, and all voxels of level k or more, are taken in: none at 0, and at STEPS what
    the mask itself misses.
    """
    levels = levels_of(mask)
    for k, label in enumerate(mask.labels):
        true = bits(k)
        size = int(true.sum())
        if size:
            beside = levels[k][true & ~_inner(mask, k)]
            counts = np.bincount(beside, minlength=STEPS)
            yield label.name, np.concatenate([[0], np.cumsum(counts)]) / size


def promised(mask: Mask, limits: Limits) -> Mask:
    """Return the mask with its outer one in place of the levels; as it is where it has none."""
    if LEVELS not in mask.parts:
        return mask
    levels, names = levels_of(mask), [x.name for x in mask.labels]
    array = np.empty(levels.shape, dtype=np.uint8)
    for k, name in enumerate(names):
        at = limits.of(name)
        np.greater_equal(levels[k], 0 if math.isinf(at) else int(at), out=array[k].view(bool))
        array[k] |= _inner(mask, k)
    whole = [n for n in names if math.isinf(limits.of(n)) or limits.of(n) <= 0]
    remarks = limits.remarks
    if whole:
        few = counted(limits.least(whole), "calibration case")
        remarks = (*remarks, f"the outer mask of {listed(whole, 4)} is the whole image: {few} had it")
    of = f"the outer mask misses at most {100 * (1 - limits.coverage):g} % of the true voxels of each label, on average"
    made = Promise(
        limits.coverage,
        f"{of} over cases like those of the calibration that have it",
        part=OUTER,
        group=limits.group,
        n=limits.least(names),
        remarks=remarks,
    )
    parts = {name: part for name, part in mask.parts.items() if name != LEVELS}
    return replace(mask, promise=made, parts={**parts, OUTER: _as_mask(mask, array)})


def kept(mask: Mask, bits: Bits) -> Kept | None:
    """Return the share of each label's true voxels that the outer mask misses, and its size over the mask's."""
    if mask.promise is None or OUTER not in mask.parts:
        return None
    wide = cast(Mask, mask.parts[OUTER])
    held: dict[str, float] = {}
    sizes = [0, 0]
    for k, label in enumerate(mask.labels):
        taken, true = _inner(wide, k), bits(k)
        sizes[0] += int(taken.sum())
        sizes[1] += int(_inner(mask, k).sum())
        if true.any():
            held[label.name] = float((true & ~taken).sum() / true.sum())
    return Kept(held, sizes[0] / sizes[1] if sizes[1] else math.inf if sizes[0] else 1.0, mean=True)


def _as_mask(mask: Mask, bits: Array) -> Mask:
    """Return bits `(K, Z, Y, X)` as a mask of the same labels; of one label as values, as its own mask has them."""
    if len(mask.labels) == 1 and not mask.overlapping:
        value = mask.labels[0].value
        array = np.where(
            bits, np.asarray(value, mask.image.array.dtype), np.zeros((), mask.image.array.dtype)
        )
        return Mask(image=replace(mask.image, array=array), labels=mask.labels)
    return Mask(image=replace(mask.image, array=bits), labels=mask.labels, overlapping=True)


def _inner(mask: Mask, place: int) -> Array:
    array = mask.image.array
    bits: Array = array[place] != 0 if mask.overlapping else array[0] == mask.labels[place].value
    return bits
