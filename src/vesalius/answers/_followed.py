"""Parts of two visits followed from one to the other: what lies in one place is one thing, also where it fell apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy import ndimage

from vesalius.core.growth import Part
from vesalius.core.image import Array

NEAR = 2  # voxels that what is followed may have moved, where nothing lies in its own place
MOST = 60  # parts of a label at one visit, more than which nobody follows


def followed(
    earlier: Array, later: Array, carried: Array, *, label: str, unit: str, each: tuple[float, float]
) -> list[Part] | None:
    """Return what became of each part, the largest first; None where there are too many to be followed.

    `earlier` and `later` `(Z, Y, X)` hold a number a part, 0 where nothing is, each on its own grid, `carried` the
    earlier one on the later one's grid. `each` is the size of a voxel in `unit` at both visits. Parts that overlap
    belong together; what overlaps with nothing belongs to what lies within NEAR voxels and overlaps with nothing.
    """
    before, after = (_sizes(x) for x in (earlier, later))
    if max(len(before), len(after)) > MOST:
        return None
    pairs = _overlapping(carried, later)
    free = (
        {a for a in before if a not in {p[0] for p in pairs}},
        {b for b in after if b not in {p[1] for p in pairs}},
    )
    if all(free):
        near = _grown(np.where(np.isin(carried, sorted(free[0])), carried, 0))
        pairs |= {pair for pair in _overlapping(near, later) if pair[1] in free[1]}
    parts = []
    for ones, others in _groups(before, after, pairs):
        place = np.isin(later, others) if others else np.isin(carried, ones)
        parts.append(
            Part(
                label,
                unit,
                round(sum(before[k] for k in ones) * each[0], 4),
                round(sum(after[k] for k in others) * each[1], 4),
                (len(ones), len(others)),
                _inner(place),
            )
        )
    return sorted(parts, key=lambda part: -max(part.earlier, part.later))


def components(bits: Array) -> Array:
    """Return a number for each connected part, corners counted, 0 where nothing is."""
    found: Array = ndimage.label(bits, structure=np.ones((3, 3, 3)))[0]
    return found


def _sizes(ids: Array) -> dict[int, int]:
    values, counts = np.unique(ids, return_counts=True)
    return {int(v): int(n) for v, n in zip(values, counts, strict=True) if v}


def _overlapping(one: Array, other: Array) -> set[tuple[int, int]]:
    both = (one != 0) & (other != 0)
    return {(int(a), int(b)) for a, b in np.unique(np.stack([one[both], other[both]], axis=1), axis=0)}


def _grown(ids: Array) -> Array:
    """Return numbers that reach NEAR voxels further, each place that of the nearest."""
    if not ids.any():
        return ids
    far, index = ndimage.distance_transform_edt(ids == 0, return_indices=True)
    return np.where(far <= NEAR, ids[tuple(index)], 0)


def _groups(
    before: Iterable[int], after: Iterable[int], pairs: set[tuple[int, int]]
) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Return what belongs together: parts of the earlier and of the later visit that pairs join."""
    owner = {("a", k): ("a", k) for k in before} | {("b", k): ("b", k) for k in after}

    def root(node: tuple[str, int]) -> tuple[str, int]:
        while owner[node] != node:
            node = owner[node]
        return node

    for a, b in sorted(pairs):
        owner[root(("b", b))] = root(("a", a))
    held: dict[tuple[str, int], tuple[list[int], list[int]]] = {}
    for node in owner:
        held.setdefault(root(node), ([], []))[node[0] == "b"].append(node[1])
    return [(ones, others) for ones, others in held.values()]


def _inner(bits: Array) -> tuple[int, int, int]:
    """Return a voxel that lies deepest in what is set; (0, 0, 0) where nothing is."""
    if not bits.any():
        return 0, 0, 0
    low = [
        int(np.flatnonzero(bits.any(axis=tuple(a for a in range(3) if a != axis)))[0]) for axis in range(3)
    ]
    high = [
        int(np.flatnonzero(bits.any(axis=tuple(a for a in range(3) if a != axis)))[-1]) + 1
        for axis in range(3)
    ]
    box = bits[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    deep = ndimage.distance_transform_edt(np.pad(box, 1))[1:-1, 1:-1, 1:-1]
    z, y, x = np.unravel_index(int(np.argmax(deep)), deep.shape)
    return low[0] + int(z), low[1] + int(y), low[2] + int(x)
