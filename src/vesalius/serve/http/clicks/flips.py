"""Masks as the runs of voxels that changed, which is little to send after a click."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array


def flips(before: Array | None, after: Array) -> list[int]:
    """Return which voxels differ, as `[gap, length, gap, length, …]` in C order of `(Z, Y, X)`.

    A gap is how many voxels stay as they were since the last run, or since the first voxel. `before` is a mask of the
    same shape, None for an empty one: then these are the runs of the mask itself.
    """
    changed = np.flatnonzero(after if before is None else before != after)
    if not len(changed):
        return []
    breaks = np.flatnonzero(np.diff(changed) > 1)
    starts = changed[np.concatenate(([0], breaks + 1))]
    ends = changed[np.concatenate((breaks, [len(changed) - 1]))] + 1
    gaps = starts - np.concatenate(([0], ends[:-1]))
    found: list[int] = np.stack((gaps, ends - starts), axis=1).reshape(-1).tolist()
    return found


def flipped(before: Array | None, runs: Sequence[int], shape: tuple[int, int, int]) -> Array:
    """Return the mask, bool `(Z, Y, X)`, that differs from `before` in these runs.

    Raises DataError for runs that are no pairs or lead out of the image.
    """
    numbers = np.asarray(runs, np.int64)
    if len(numbers) % 2 or (numbers < 0).any() or numbers.sum() > np.prod(shape):
        raise DataError(
            "the runs of the mask do not fit the image",
            found=f"{len(numbers)} numbers over {int(numbers.sum()):,} voxels",
            hint=f"pairs of gap and length, together at most {int(np.prod(shape)):,}",
        )
    made = np.zeros(shape, bool) if before is None else before.copy()
    flat = made.reshape(-1)
    ends = np.cumsum(numbers)
    for start, end in zip(ends[0::2].tolist(), ends[1::2].tolist(), strict=True):
        flat[start:end] ^= True
    return made
