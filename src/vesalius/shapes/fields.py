"""Maps of a mask: how thick what it holds is at each voxel, and how large the piece is that a voxel belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import ndimage

from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array, Triple
from vesalius.core.words import listed

LEVELS = 48  # widths that are told apart at most
FINEST = 4  # levels of the radius a voxel's smallest side has at most
MOST_HALVED = 16_000_000  # points of the grid of half steps; beyond it whole voxels are taken


def thickness_map(mask: Mask, label: Label | str | int | None = None) -> Map:
    """Return the local thickness in mm at each voxel of a mask, NaN outside: as of a sheet, a wall, cortical bone.

    It is the width of the largest ball that fits into a label and reaches into the voxel (Hildebrand and Rüegsegger, A
    new method for the model-independent assessment of thickness in three-dimensional images, 1997), by openings with
    balls of rising widths. Balls may lie between voxels, so that a sheet of an even number of voxels is as thick as
    it is; in a box of more than 16 million such points they lie on voxels, and are up to a voxel too small. Widths come
    in steps, which `facts` says, and each is the widest that fits. Each label is taken by itself; with `label` that one
    alone. Where labels overlap one has to be named.

    Raises GeometryError without spacing or for a single plane, DataError where there is nothing to be measured.
    """
    spacing = _spacing(mask)
    field = np.full(mask.image.shape, np.nan, dtype=np.float32)
    steps = []
    for bits in _parts(mask, label):
        box = ndimage.find_objects(bits.astype(np.uint8))[0]
        found, step = _local(np.pad(bits[box], 1), spacing)
        inside = bits[box]
        field[box][inside] = found[1:-1, 1:-1, 1:-1][inside]
        steps.append(step)
    facts = {
        "method": "largest inscribed ball (Hildebrand and Rüegsegger 1997)",
        "step": f"{max(steps):.2g} mm",
    }
    return _map(mask, field, "thickness", "mm", facts)


def volume_map(mask: Mask, label: Label | str | int | None = None) -> Map:
    """Return at each voxel of a mask the volume in ml of the connected piece that it belongs to, NaN outside.

    Voxels of one label that share a side, an edge or a corner are one piece. With `label` it is of that one alone;
    where labels overlap one has to be named. Raises GeometryError without spacing, DataError for an empty mask.
    """
    voxel = float(np.prod(_spacing(mask))) / 1000
    field = np.full(mask.image.shape, np.nan, dtype=np.float32)
    pieces = 0
    for bits in _parts(mask, label):
        numbered, count = ndimage.label(bits, np.ones((3, 3, 3)))
        sizes = np.bincount(numbered.ravel()) * voxel
        field[bits] = sizes[numbered[bits]]
        pieces += int(count)
    return _map(mask, field, "volume of the piece", "ml", {"pieces": str(pieces)})


def _map(mask: Mask, field: Array, quantity: str, unit: str, facts: dict[str, str]) -> Map:
    known = field[np.isfinite(field)].astype(np.float64)
    figures = {
        "mean": float(known.mean()),
        "standard deviation": float(known.std()),
        "5th percentile": float(np.percentile(known, 5)),
        "median": float(np.median(known)),
        "95th percentile": float(np.percentile(known, 95)),
    }
    return Map(
        image=replace(mask.image, array=field[None], unit=unit, channels=(), display={}),
        quantity=quantity, unit=unit, figures=figures, facts=facts,
        case_id=mask.case_id, source=mask.source, bundle=mask.bundle, by=mask.by, on=mask.on,
        outside=mask.outside, withheld=mask.withheld,
    )  # fmt: skip


def _spacing(mask: Mask) -> Triple:
    """Return the sides `(z, y, x)` of a voxel in mm."""
    spacing = mask.image.spacing_mm
    if spacing is None:
        raise GeometryError("a thickness is in mm, and nothing says how large a voxel is", hint="an affine")
    if mask.image.is_2d or mask.image.array.ndim != 4:
        raise GeometryError("a thickness is that of a volume", found=f"shape {mask.image.array.shape}")
    return spacing[2], spacing[1], spacing[0]


def _parts(mask: Mask, label: Label | str | int | None) -> Iterator[Array]:
    """Yield where each label that is asked for is, `(Z, Y, X)` of bits. Raises DataError where none is anywhere."""
    wanted = label.value if isinstance(label, Label) else label
    chosen = [
        (place, one)
        for place, one in enumerate(mask.labels)
        if wanted is None or wanted == (one.name if isinstance(wanted, str) else one.value)
    ]
    known = listed([f"{one.value} {one.name}" for one in mask.labels][:12]) or "no label"
    if not chosen:
        raise DataError(f"there is no label {wanted!r}", found=known)
    if mask.overlapping and len(chosen) > 1:
        raise DataError("labels overlap, and a voxel has one number: name the label", found=known)
    empty = True
    for place, one in chosen:
        array = mask.image.array
        bits = array[place] != 0 if mask.overlapping else array[0] == one.value
        if bits.any():
            empty = False
            yield bits
    if empty:
        raise DataError("there is nothing to be measured", found="no voxel of a label")


def _local(bits: Array, spacing: Triple) -> tuple[Array, float]:
    """Return the local thickness of voxels in a box with a rim of one voxel, and the step of its values, in mm.

    What lies beyond the image's edge is not known: it is taken to lie outside, so that no width is made up.
    """
    halved = int(np.prod([2 * n - 1 for n in bits.shape])) <= MOST_HALVED
    radius, sides, own = _radii(bits, np.array(spacing), halved=halved)
    low, high = float(radius[own][bits].min()), float(radius.max())
    count = int(np.clip(np.ceil((high - low) * FINEST / min(spacing)), 1, LEVELS)) + 1
    levels = np.linspace(low, high, count)
    found = np.full(bits.shape, 2 * low, dtype=np.float32)
    for level in levels[1:]:
        reach = ndimage.distance_transform_edt(radius < level - 1e-6, sampling=sides)[own]
        found[bits & (reach < level + min(spacing) / 2)] = 2 * level  # it reaches into the voxel
    return found, float(2 * (levels[1] - levels[0]))


def _radii(bits: Array, spacing: Array, *, halved: bool) -> tuple[Array, Array, tuple[slice, ...]]:
    """Return the radius in mm of the ball that fits about each point, the points' distances, and which are voxels.

    Points are voxels' middles, or with `halved` those half-way between them, too. From there the voxels outside are
    boxes whose nearest place is a point as well, so that the distance is exact. Where that is a corner or a ridge, the
    steps of an oblique border stand out from it, by half of what the box spans along the direction beyond its largest
    part; it is right for borders along voxels' sides and both their diagonals.
    """
    own = (slice(None, None, 2),) * 3 if halved else (slice(None),) * 3
    free = np.ones([2 * n - 1 for n in bits.shape], bool) if halved else bits.copy()
    if halved:
        free[own] = bits
        free = ndimage.minimum_filter(free, 3)
    sides = spacing / 2 if halved else spacing
    far, nearest = ndimage.distance_transform_edt(free, sampling=sides, return_indices=True)
    safe = np.where(far > 0, far, 1.0)
    whole, largest = np.zeros_like(far), np.zeros_like(far)
    for axis, at in enumerate(np.ogrid[tuple(slice(0, n) for n in free.shape)]):
        span = np.abs(at - nearest[axis]) * sides[axis] / safe * spacing[axis]
        whole += span
        np.maximum(largest, span, out=largest)
    radius = far + (whole - largest) / 2 if halved else far - largest / 2
    return np.where(far > 0, radius, 0.0), sides, own
