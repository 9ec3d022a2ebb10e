"""How the grids of two images differ, in words, and whether a mask fits the image that it was drawn on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from vesalius.core.image import Array, Triple

EXIF_ORIENTATION = (
    "exif_orientation"  # an image's `display` holds the tag that its file had; it is applied already
)
_AXES = "xyz"
_QUARTER = 5  # EXIF orientations from here on swap width and height


class Gridded(Protocol):
    """What has a grid: an Image, or a Header."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Spatial shape `(Z, Y, X)`."""

    @property
    def affine(self) -> Array | None:
        """Index `(x, y, z)` to LPS millimetres."""

    @property
    def spacing_mm(self) -> Triple | None:
        """Voxel sizes `(x, y, z)`."""

    @property
    def display(self) -> Mapping[str, Any]:
        """What the file says beside its pixels."""


def mask_fault(image: Gridded, mask: Gridded) -> str | None:
    """Return what contradicts between an image and a mask drawn on it, in one line; None if they agree.

    Shapes must be equal; where both have an affine, no corner may lie more than half the smallest voxel apart. Of a
    photograph that is turned by its EXIF orientation it must be known on which pixels the mask was drawn.
    """
    words = difference(mask, image)
    turned = _turned(image, mask)
    if words is not None and image.shape != mask.shape:
        return f"another shape than its image: {words}" + (f"; {turned}" if turned else "")
    if words is not None and image.affine is not None and mask.affine is not None:
        apart = apart_mm(mask.affine, image.affine, image.shape)
        return f"another geometry than its image: {words}; corners lie up to {apart:.3g} mm apart"
    if turned and not _told_by_shape(image, mask):
        return f"perhaps been drawn on other pixels than its image's: {turned}"
    return None


def difference(one: Gridded, other: Gridded, *, tolerance_mm: float | None = None) -> str | None:
    """Return how the grid of `one` differs from that of `other`, in words; None where they agree.

    Size, order and direction of the axes, spacing, rotation and place are compared as far as both are known. Places
    agree where no corner lies more than `tolerance_mm` from its counterpart; by default half the smallest voxel.
    """
    size = f"{one.shape} and {other.shape} (z, y, x)" if one.shape != other.shape else None
    if one.affine is None or other.affine is None:
        if size is not None and sorted(one.shape) == sorted(other.shape):
            return f"{size}, the same lengths in another order"
        return size
    a, b = np.asarray(one.affine, float), np.asarray(other.affine, float)
    limit = 0.5 * min(*_lengths(a), *_lengths(b)) if tolerance_mm is None else tolerance_mm
    if size is None and apart_mm(a, b, one.shape) <= limit:
        return None
    words = _relation(a, b, one.shape, other.shape, limit)
    return "; ".join(words) if size is None else "; ".join([size, *words])


def _relation(a: Array, b: Array, here: tuple[int, ...], there: tuple[int, ...], limit: float) -> list[str]:
    """Return the ways in which two affines differ, the weightiest alone where each is small."""
    counts, others = here[::-1], there[::-1]  # along x, y, z
    a, b = _upright(a, counts), _upright(b, others)
    order, signs, mirrored = _turns(a, b)
    turned = a[:, [*order, 3]].copy()  # the columns of `a` that run along x, y, z of `b`
    turned[:3, :3] *= signs
    lengths, wanted = _lengths(turned), _lengths(b)
    reach = [max((n - 1) / 2, 0) for n in (counts[axis] for axis in order)]
    off = max(abs(p - q) * n for p, q, n in zip(lengths, wanted, reach, strict=True))
    angle, shear = _rotation(turned, b)
    radius = math.hypot(*(p * n for p, n in zip(lengths, reach, strict=True)))
    far = a @ [*((n - 1) / 2 for n in counts), 1] - b @ [*((n - 1) / 2 for n in others), 1]
    moved = float(np.linalg.norm(far[:3])) if tuple(counts[i] for i in order) == others else 0.0
    turn = _turn_words(order, signs, counts) if mirrored or angle * radius <= limit else []
    if not turn and (order != (0, 1, 2) or min(signs) < 0):
        angle = _rotation(a, b)[0]
    spacing = " × ".join(f"{s:.4g}" for s in _lengths(a)), " × ".join(f"{s:.4g}" for s in wanted)
    place = ", ".join(f"{v:.4g}" for v in np.round(far[:3], 3) + 0.0)
    said = [
        (shear * radius, "sheared"),
        (angle * radius, f"rotated by {math.degrees(angle):.3g}°"),
        (off, f"another spacing, {spacing[0]} and {spacing[1]} mm (x, y, z)"),
        (moved, f"moved by {moved:.4g} mm, ({place}) to the left, back and head"),
    ]
    heavy = [text for weight, text in said if weight > limit]
    if turn or heavy or here != there:
        return [*turn, *heavy]
    return [max(said)[1]]


def _upright(affine: Array, counts: tuple[int, ...]) -> Array:
    """Return the affine with the step through a single plane along the plane's normal: its direction places nothing."""
    if counts.count(1) != 1:
        return affine
    axis = counts.index(1)
    out, (one, other) = affine.copy(), (affine[:3, k] for k in range(3) if k != axis)
    normal = np.cross(one, other)
    out[:3, axis] = normal / np.linalg.norm(normal) * _lengths(affine)[axis]
    return out


def _turns(a: Array, b: Array) -> tuple[tuple[int, int, int], Array, bool]:
    """Return which axis of `a` runs along x, y and z of `b`, with its sign; and whether one is a mirror image of the
    other.
    """
    across = np.linalg.inv(b[:3, :3] / _lengths(b)) @ (a[:3, :3] / _lengths(a))
    best, order = -1.0, (0, 1, 2)
    for one in itertools.permutations(range(3)):
        total = sum(abs(float(across[row, axis])) for row, axis in enumerate(one))
        if total > best + 1e-6:
            best, order = total, (one[0], one[1], one[2])
    signs = np.array([-1.0 if across[row, axis] < 0 else 1.0 for row, axis in enumerate(order)])
    return order, signs, float(np.linalg.det(np.eye(3)[list(order)]) * np.prod(signs)) < 0


def _turn_words(order: tuple[int, int, int], signs: Array, counts: tuple[int, ...]) -> list[str]:
    """Axes in another order, and flipped ones; the flip of an axis of one plane changes nothing."""
    flipped = [_AXES[row] for row in range(3) if signs[row] < 0 and counts[order[row]] > 1]
    words = []
    if order != (0, 1, 2):
        moved = [_AXES[row] for row in range(3) if order[row] != row]
        names = ", ".join(_AXES[axis] for axis in order)
        words.append(
            f"axes {moved[0]} and {moved[1]} swapped" if len(moved) == 2 else f"axes in the order {names}"
        )
    if flipped:
        first = ", ".join(flipped[:-1])
        words.append(f"flipped along {first} and {flipped[-1]}" if first else f"flipped along {flipped[-1]}")
    return words


def _rotation(a: Array, b: Array) -> tuple[float, float]:
    """Return the angle in radians between the axes of two affines, and how far they are from one rigid turn."""
    turn = (a[:3, :3] / _lengths(a)) @ np.linalg.inv(b[:3, :3] / _lengths(b))
    left, stretch, right = np.linalg.svd(turn)
    cosine = (float(np.trace(left @ right)) - 1) / 2
    return math.acos(min(1.0, max(-1.0, cosine))), float(np.abs(stretch - 1).max())


def _lengths(affine: Array) -> Array:
    return np.asarray(np.linalg.norm(affine[:3, :3], axis=0))


def apart_mm(a: Array, b: Array, shape: tuple[int, ...]) -> float:
    """Return how far two affines put the corners of a shape `(Z, Y, X)` apart, in mm, along the worst axis."""
    ends = [(0, n - 1) for n in reversed(shape)]
    corners = np.array([[*corner, 1] for corner in itertools.product(*ends)], float).T
    return float(np.abs((a - b) @ corners)[:3].max())


def _turned(image: Gridded, mask: Gridded) -> str | None:
    """Return what to say where an EXIF orientation turns one of the two, and the other does not say that it is
    upright.
    """
    theirs, ours = (x.display.get(EXIF_ORIENTATION) for x in (image, mask))
    bake = "save both upright (magick IN -auto-orient OUT) and look whether they fit"
    if (theirs or 1) > 1 and ours is None:
        return (
            f"the photograph is turned by its EXIF orientation {theirs} and the mask has none; {bake}, or give the mask"
            f" the orientation 1 if it was drawn on the picture as seen, {theirs} if on the pixels as stored"
        )
    if (ours or 1) > 1 and theirs is None:
        return f"the mask is turned by its EXIF orientation {ours} and the photograph has none; {bake}"
    return None


def _told_by_shape(image: Gridded, mask: Gridded) -> bool:
    """Return whether a quarter turn would have shown in the shape, so that equal shapes mean the picture as seen."""
    tag = max(int(x.display.get(EXIF_ORIENTATION) or 1) for x in (image, mask))
    return tag >= _QUARTER and image.shape[1] != image.shape[2]
