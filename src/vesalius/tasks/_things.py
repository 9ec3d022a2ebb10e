"""Things to count: where they lie on a prepared grid, how large their densities are, and what corrects a bias."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.case import Box
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.prepare import mass
from vesalius.prepare.geometry import Undo, forward_points

THINGS, KINDS, MASS = "things", "kinds", "mass"  # ragged: places, their labels' places, what each counts for
WHERE, COUNT = "where", "count"  # targets: where something is known, and how many there are
LEAST_INSIDE = (
    0.05  # of a kernel within the image: a thing whose middle is outside counts no more than 20 times that
)
COVERED = 0.05  # of an image by things, where nobody says how large they are
FLOOR = 1e-4  # of what a blank density gets wrong: a label that hardly occurs does not rule all others
ENOUGH = 10  # cases that were not learned from, below which no bias is corrected


class Grid:
    """The prepared grid of a typical image: how many axes it has, how many voxels, and how far images are scaled."""

    def __init__(self, dims: int, factor: float, voxels: float, seen: float) -> None:
        self.dims, self.factor, self.voxels, self.seen = dims, factor, voxels, seen

    @classmethod
    def of(cls, plan: Plan) -> Grid:
        """Return the grid that a plan makes of images of the median shape of its fingerprint."""
        dims, data = plan.data.dims, plan.data
        shape = [float(n) for n in plan.fingerprint.get("shape_median") or data.size][-dims:]
        spacing = plan.fingerprint.get("spacing_median")
        factor = 1.0
        if data.spacing_mm is not None and spacing:
            axes = [a / b for a, b in zip(spacing, data.spacing_mm, strict=True)][:dims]
            factor = math.prod(axes) ** (1 / dims)
        size = list(data.size)[-dims:]
        if data.sampling == "whole":
            factor *= min(s / (n * factor) for s, n in zip(size, shape, strict=True))
        voxels = max(math.prod(n * factor for n in shape), 1.0)
        return cls(dims, factor, voxels, min(1.0, math.prod(size) / voxels))

    def sizes(self, mean: float, size: float | None, *, kernel: float, narrowest: float) -> dict[str, float]:
        """Return how dense a label of `mean` things of a prepared `size` an image lies, for a model to begin from.

        `peak` is the density in the middle of a thing, `blank` its mean over an image, `energy` the mean square of the
        density over that of the peak, and `usual` how many there are in what a step of training sees of an image.
        """
        blank = mean / self.voxels
        sigma = narrowest if size is None else max(kernel * size, narrowest)
        peak = (2 * math.pi * sigma**2) ** (-self.dims / 2)
        if size is None:
            peak = max(blank / COVERED, 1e-12)
        energy = mean * (math.pi * sigma**2) ** (self.dims / 2) / self.voxels
        return {
            "peak": peak,
            "blank": blank,
            "energy": float(np.clip(energy, FLOOR, 1.0)),
            "usual": mean * self.seen + 0.5,
        }


def sides_of(plan: Plan) -> dict[str, float]:
    """Return the median side of the things of each label, in voxels of images at the median spacing, where known."""
    held = plan.fingerprint.get("things") or {}
    return {name: float(found[1]) for name, found in (held.get("sides") or {}).items()}


def placed(
    boxes: Sequence[Box], names: Sequence[str], undo: Undo, options: Mapping[str, Any]
) -> tuple[Array, Array, Array]:
    """Return boxes on the prepared grid, `(N, 4, 3)`, the places of their labels `(N,)`, and what each counts for.

    Each counts for so much that the part of its kernel within the image is 1.
    """
    if not boxes:
        return np.zeros((0, 4, 3), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32)
    corners = forward_points(np.array([[b.low, b.high] for b in boxes]), undo)
    middle = corners.mean(axis=1)  # (N, 3)
    half = np.abs(corners[:, 1] - corners[:, 0]) / 2
    reach = middle[:, None] + half[:, :, None] * np.eye(3)[None]  # (N, own axis, 3)
    sigma = np.maximum(2 * float(options["kernel"]) * half, float(options["narrowest"]))
    (low, high) = mass.inside_of(undo)[0]
    flat = np.array(undo.shape) == 1
    within = mass.inner_mass(
        np.where(flat, 0.0, middle), np.where(flat, 1e-6, sigma), np.where(flat, -1.0, low), np.where(flat, 1.0, high)
    )  # fmt: skip
    kinds = np.array([names.index(b.label) for b in boxes], dtype=np.int64)
    shares = (1 / np.maximum(within, LEAST_INSIDE)).astype(np.float32)
    return np.concatenate([middle[:, None], reach], axis=1).astype(np.float32), kinds, shares


def mark(where: Array, things: Array, kinds: Array) -> None:
    """Write into `where` `(Z, Y, X)` the label of each thing in the voxel of its middle."""
    last = np.array(where.shape) - 1
    for middle, kind in zip(things[:, 0], kinds, strict=True):
        z, y, x = np.clip(np.floor(middle).astype(int), 0, last)
        where[z, y, x] = kind + 1


def cells(box: Box, undo: Undo) -> tuple[slice, slice, slice]:
    """Return the voxels of the prepared grid that a box touches."""
    corners = np.sort(forward_points(np.array([box.low, box.high]), undo), axis=0)
    low, high = np.floor(corners[0]).astype(int), np.ceil(corners[1]).astype(int)
    z, y, x = (slice(max(int(a), 0), max(int(b), 0)) for a, b in zip(low, high, strict=True))
    return z, y, x


def better_scale(found: Array, truth: Array) -> float | None:
    """Return what counts `(N,)` of unseen cases are to be multiplied by, or None where that is not surely better.

    It is the sum of the truths over that of the counts; each case is judged by the factor of all others, and the mean
    error must fall by more than the standard error of how far it falls.
    """
    if len(found) < ENOUGH or found.sum() <= 0 or truth.sum() <= 0:
        return None
    rest = found.sum() - found
    if (rest <= 0).any():
        return None
    others = (truth.sum() - truth) / rest
    gain = np.abs(found - truth) - np.abs(found * others - truth)
    if gain.mean() <= gain.std(ddof=1) / math.sqrt(len(gain)):
        return None
    return float(truth.sum() / found.sum())
