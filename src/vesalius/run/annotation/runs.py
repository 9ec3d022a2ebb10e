"""Masks as runs: value, length, value, length … along x, then y, then z, as browsers send them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array

_HIGHEST = 2**15 - 1  # a label's value, as masks are read


def encoded(array: Array) -> dict[str, Any]:
    """Return a mask `(Z, Y, X)` as `{"shape": [Z, Y, X], "runs": [value, length, …]}`, in C order."""
    flat = array.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=np.int64(-1) - flat[0]))
    lengths = np.diff(starts, append=len(flat))
    return {
        "shape": list(array.shape),
        "runs": np.stack([flat[starts].astype(np.int64), lengths], axis=1).ravel().tolist(),
    }


def decoded(said: Any, shape: Sequence[int]) -> Array:
    """Return the mask of an image of a shape. Raises DataError for runs that are not of it.

    What is sent is checked before any memory is taken, so that a few numbers cannot ask for much.
    """
    if not isinstance(said, dict) or set(said) != {"shape", "runs"}:
        raise DataError("a mask has a shape and runs", found=repr(said)[:80])
    if said["shape"] != list(shape):
        raise DataError(
            "the mask has another shape than its image",
            found=repr(said["shape"])[:80],
            hint=f"{list(shape)} (z, y, x)",
        )
    told = said["runs"]
    if not isinstance(told, list) or len(told) % 2 or not all(type(v) is int for v in told):
        raise DataError("the runs of a mask are whole numbers, value and length by turns")
    values, lengths = told[::2], told[1::2]
    size = int(np.prod([int(n) for n in shape], dtype=np.int64))
    if min(lengths, default=0) < 1 or sum(lengths) != size:
        raise DataError(
            "the runs of a mask do not fill its image", found=f"{sum(lengths):,} voxels", hint=f"{size:,}"
        )
    if min(values) < 0 or max(values) > _HIGHEST:
        raise DataError(
            "a label's value lies beyond what masks hold", found=f"{min(values)} to {max(values)}"
        )
    return np.repeat(np.array(values, np.int32), np.array(lengths, np.int64)).reshape(tuple(shape))
