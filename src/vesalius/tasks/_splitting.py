"""From fields of a label and of a depth inside things to single things: watershed from where the depth is large.

Each connected part of what is called anything is split by itself, so that memory is bounded by the fields, which are
bytes, and by the largest part. Fields are whole before they are split: no edge between tiles can cut a thing in two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array

STEPS = 255  # of a field of bytes that stands for 0 to 1
LARGE = 1 << 24  # voxels of a part from which on it is split on every other voxel
_AROUND = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class Split:
    """Ids `(Z, Y, X)` from 1 on without a gap, and of each its label's place from 0, its surety and its voxels."""

    ids: Array
    place: Array  # (N,)
    sure: Array  # (N,)
    voxels: Array  # (N,)


def split(label: Array, depth: Array, sure: Array, *, labels: int, at: float, least: float = 0.0) -> Split:
    """Return the things in fields `(Z, Y, X)` of bytes.

    `label` is 0 for nothing and k for the k-th of `labels`; `depth` and `sure` are 0 to 255. Of each connected part of
    what is labelled, every connected part whose depth is `at` or more is the seed of a thing; a part without one is
    itself a thing. A thing has the label that most of its voxels have, and the mean of their surety times the largest
    depth. Things of fewer than `least` voxels are left out.
    """
    ids = np.zeros(label.shape, dtype=np.int32)
    numbered, many = ndimage.label(label != 0, structure=_AROUND, output=np.int32)
    threshold = max(1, round(at * STEPS))
    found = 0
    for part, window in enumerate(ndimage.find_objects(numbered, many), start=1):
        if window is not None:
            inside = numbered[window] == part
            own = _things(depth[window], inside, threshold)
            ids[window][inside] = own[inside] + found * (own[inside] > 0)
            found += int(own.max(initial=0))
    del numbered
    return _described(ids, label, depth, sure, found, labels, least)


def depths(ids: Array, *, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Array:
    """Return how deep inside its thing each voxel of ids `(Z, Y, X)` lies, float32: 1 where deepest, 0 outside.

    It is the distance to the nearest voxel that is not the thing's, over the largest of that thing, so that large and
    small things have their seeds at one height. What is not known (-1) and what lies beyond the image is no such voxel:
    a thing that the image cuts is deep at the cut. `spacing` is that of the grid, `(z, y, x)`.
    """
    found = np.zeros(ids.shape, dtype=np.float32)
    for number, window in enumerate(ndimage.find_objects(np.maximum(ids, 0)), start=1):
        if window is None:
            continue
        wide = tuple(
            slice(max(w.start - 1, 0), min(w.stop + 1, n)) for w, n in zip(window, ids.shape, strict=True)
        )
        own = ids[wide] == number
        held = own | (ids[wide] < 0)
        if held.all():
            found[wide][own] = 1.0
            continue
        distance = ndimage.distance_transform_edt(held, sampling=spacing)
        found[wide][own] = distance[own] / distance[own].max()
    return found


def _things(depth: Array, inside: Array, threshold: int) -> Array:
    """Return ids from 1 on of the things of one connected part; 0 outside of it."""
    seeds, many = ndimage.label(inside & (depth >= threshold), structure=_AROUND, output=np.int32)
    if many < 2:
        return inside.astype(np.int32)
    return _grown(depth, seeds, inside)


def _grown(depth: Array, seeds: Array, inside: Array) -> Array:
    """Return the seeds grown over `inside`, downhill from large depths; a large part on every other voxel first."""
    from skimage.segmentation import watershed

    if inside.size <= LARGE:
        heights = STEPS - depth.astype(np.int16)
        grown: Array = watershed(heights, markers=seeds, mask=inside)  # type: ignore[no-untyped-call]
        return grown.astype(np.int32, copy=False)
    every = tuple(slice(None, None, 2 if n > 2 else 1) for n in inside.shape)
    coarse = _grown(depth[every], _kept(seeds, every), inside[every])
    full = coarse
    for axis, n in enumerate(inside.shape):
        if full.shape[axis] != n:
            full = np.repeat(full, 2, axis=axis)[(slice(None),) * axis + (slice(0, n),)]
    full = np.where(seeds > 0, seeds, np.where(inside, full, 0))
    for _ in range(4):  # voxels between the coarse ones
        bare = inside & (full == 0)
        if not bare.any():
            break
        full = np.where(bare, ndimage.grey_dilation(full, size=(3, 3, 3)), full)
    return full


def _kept(seeds: Array, every: tuple[slice, ...]) -> Array:
    """Return the seeds on every other voxel; one that has no voxel there is set at the nearest one that is free."""
    coarse = np.array(seeds[every])
    there = np.zeros(int(seeds.max()) + 1, dtype=bool)
    there[coarse] = True
    for lost in (np.flatnonzero(~there[1:]) + 1).tolist():
        first = np.argwhere(seeds == lost)[0]
        step = [s.step or 1 for s in every]
        at = tuple(min(int(p // s), n - 1) for p, s, n in zip(first, step, coarse.shape, strict=True))
        coarse[at] = lost
    return coarse


def _described(
    ids: Array, label: Array, depth: Array, sure: Array, found: int, labels: int, least: float
) -> Split:
    """Return what was split with what is said of each thing; ids are numbered anew where small ones are left out."""
    many, kinds = found + 1, labels + 1
    voxels, votes = np.zeros(many, dtype=np.int64), np.zeros(many * kinds, dtype=np.int64)
    total, top = np.zeros(many), np.zeros(many, dtype=np.uint8)
    for own, said, deep, chance in zip(
        ids, label, depth, sure, strict=True
    ):  # plane by plane, to bound memory
        there = own != 0
        flat = own[there]
        voxels += np.bincount(flat, minlength=many)
        votes += np.bincount(flat * np.int64(kinds) + said[there], minlength=many * kinds)
        total += np.bincount(flat, weights=chance[there].astype(np.float64), minlength=many)
        np.maximum.at(top, flat, deep[there])
    kept = (voxels >= max(least, 1)) & (np.arange(many) > 0)
    number = np.cumsum(kept) * kept
    place = votes.reshape(many, kinds)[:, 1:].argmax(axis=1) if labels else np.zeros(many, int)
    surety = total / np.maximum(voxels, 1) / STEPS * (top / STEPS)
    if not kept[1:].all():
        ids = number.astype(np.int32)[ids]
    return Split(ids, place[kept], surety[kept], voxels[kept])
