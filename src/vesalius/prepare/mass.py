"""Mass: fields whose sum means something, such as a density whose integral is a count; brought back without a loss."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.prepare.batch import Example, main_image
from vesalius.prepare.geometry import Undo, inner_slices, lerp_weights, unseen

INSIDE = "inside"  # in an example's `ragged`: where the image lies within its padded grid
COUNTS, DENSITY = (
    "counts",
    "density",
)  # what of fields of mass is decoded, by name: their sums, and themselves


def inside_of(undo: Undo) -> Array:
    """Return low and high corner of the image within its padded grid, `(1, 2, 3)`, for `Example.ragged[INSIDE]`."""
    low = np.array(undo.before, dtype=np.float32)
    return np.stack([low, low + np.array(undo.inner, dtype=np.float32)])[None]


def within(example: Example) -> tuple[slice, slice, slice]:
    """Return where the image of an example lies within its padded grid; all of the grid where nothing says so."""
    held = example.ragged.get(INSIDE)
    if held is None:
        z, y, x = main_image(example).shape[-3:]
        return slice(0, z), slice(0, y), slice(0, x)
    (low, high) = held[0].astype(int).tolist()
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])


def share_weights(n_out: int, n_in: int) -> sparse.csr_array:
    """Return `(n_out, n_in)` weights that share what lies in each of `n_in` samples among `n_out` over the same extent.

    They are those of linear interpolation, but columns sum to one instead of rows, so that the sum stays what it was.
    """
    weights = sparse.csr_array(lerp_weights(n_out, n_in)).astype(np.float64)
    total = np.asarray(weights.sum(axis=0)).ravel()
    return sparse.csr_array(weights @ sparse.diags_array(1.0 / total))


def shared(array: Array, axis: int, weights: sparse.csr_array) -> Array:
    """Return an array with what lies along `axis` shared out by `weights` (see `share_weights`)."""
    moved = np.moveaxis(array, axis, 0)
    flat = weights @ np.ascontiguousarray(moved).reshape(moved.shape[0], -1)
    return np.moveaxis(np.asarray(flat).reshape(weights.shape[0], *moved.shape[1:]), 0, axis)


class Backward:
    """Mass of fields `(K, Z, Y, X)` on a prepared grid, gathered stretch by stretch on the native one.

    What lies in the padding counts for nothing. The sum on the native grid is that of all that was added within the
    image, whatever the resampling. Memory is that of the native fields and of one stretch.
    """

    def __init__(self, undo: Undo) -> None:
        self.undo = undo
        self.inner = inner_slices(undo)
        self.weights = [
            None if a == b else share_weights(a, b) for a, b in zip(undo.seen, undo.inner, strict=True)
        ]
        self.field: Array | None = None  # (K, Z, Y, X) of what is seen, turned
        self.sums: Array | None = None  # (K,)

    def add(self, axis: int, start: int, piece: Array) -> None:
        """Add a stretch `(K, z, y, x)` of the prepared fields that begins at `start` along `axis` and is whole else."""
        low, high = self.inner[axis].start, self.inner[axis].stop
        stop = start + piece.shape[axis + 1]
        a, b = max(start, low), min(stop, high)
        if a >= b:
            return
        where: list[slice] = [slice(None), *self.inner]
        where[axis + 1] = slice(a - start, b - start)
        held = np.asarray(piece[tuple(where)], dtype=np.float64)
        if self.field is None or self.sums is None:
            self.field = np.zeros((len(piece), *self.undo.seen), dtype=np.float32)
            self.sums = np.zeros(len(piece))
        self.sums += held.sum(axis=(1, 2, 3))
        for other in range(3):
            weights = self.weights[other]
            if other != axis and weights is not None:
                held = shared(held, other + 1, weights)
        first, own = a - low, self.weights[axis]
        if own is not None:
            columns = sparse.csc_array(own)[:, a - low : b - low]
            rows = np.unique(columns.indices)
            first = int(rows[0])
            held = shared(held, axis + 1, sparse.csr_array(columns)[first : int(rows[-1]) + 1])
        place: list[slice] = [slice(None)] * 4
        place[axis + 1] = slice(first, first + held.shape[axis + 1])
        self.field[tuple(place)] += held.astype(np.float32)

    def native(self) -> Array:
        """Return the fields on the native grid, `(K, Z, Y, X)` float32. Raises DataError where nothing was added."""
        if self.field is None:
            raise DataError("an empty field", hint="an image with at least one voxel")
        return np.ascontiguousarray(unseen(self.field, self.undo))

    def counts(self) -> Array:
        """Return the sum of each field within the image, `(K,)`. Raises DataError where nothing was added."""
        if self.sums is None:
            raise DataError("an empty field", hint="an image with at least one voxel")
        return self.sums


def inner_mass(centre: Array, sigma: Array, low: Array, high: Array) -> Array:
    """Return the share of Gaussians about `centre` `(N, 3)` with deviations `sigma` `(N, 3)` in a box, `(N,)`.

    `low` and `high` `(3,)` are its corners.
    """
    from scipy.special import ndtr

    sigma = np.maximum(sigma, 1e-6)
    parts = ndtr((high - centre) / sigma) - ndtr((low - centre) / sigma)
    found: Array = parts.prod(axis=1)
    return found
