"""Offsets: in which directions, and how far, a voxel's neighbours lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from vesalius.core.image import Array

Offset = tuple[int, int, int]


def offsets(shape: tuple[int, ...], *, distances: Sequence[int] = (1,), flat: bool = False) -> list[Offset]:
    """Return the offsets `(z, y, x)` to neighbours at these distances by the infinity norm, one of each two opposites.

    Those that reach beyond a volume of this shape are left out; with `flat` those to another slice are, too.
    """
    far = max(distances)
    found = []
    for offset in product(range(-far, far + 1), repeat=3):
        if offset <= (0, 0, 0) or max(map(abs, offset)) not in distances or (flat and offset[0]):
            continue
        if all(abs(o) < n for o, n in zip(offset, shape, strict=True)):
            found.append((offset[0], offset[1], offset[2]))
    return found


def pairs(volume: Array, offset: Offset) -> tuple[Array, Array]:
    """Return two views of a volume, `(Z, Y, X)` less the offset each: voxels, and what lies at the offset from them."""
    here = tuple(slice(max(0, -o), n - max(0, o)) for o, n in zip(offset, volume.shape, strict=True))
    there = tuple(slice(max(0, o), n - max(0, -o)) for o, n in zip(offset, volume.shape, strict=True))
    return volume[here], volume[there]


def lines(volume: Array, found: Sequence[Offset]) -> Iterator[Array]:
    """Yield, for each offset of distance 1, all voxels along its lines one after the other, `(N,)`.

    A zero lies between any two lines. In a volume with a border of zeros a direction is one stride through the flat
    array, whose residues are the lines.
    """
    padded = np.pad(volume, 1)
    flat, (_, rows, columns) = padded.ravel(), padded.shape
    for z, y, x in found:
        stride = (z * rows + y) * columns + x
        count = -(-len(flat) // stride)
        whole = np.zeros(count * stride, flat.dtype)
        whole[: len(flat)] = flat
        yield whole.reshape(count, stride).T.ravel()
