"""A closed surface about what a mask or a field holds, in LPS millimetres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from vesalius.core.answers.mask import Mask
from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array, Image
from vesalius.core.meshes import cones, joined
from vesalius.core.words import counted, listed
from vesalius.shapes._cubes import Net, net_of
from vesalius.shapes._field import filled, shares

Keep = Literal["all", "largest"]
KEEPS = ("all", "largest")
SMOOTH = 1.0  # voxels over which the staircase of a mask is smoothed
MOST_SMOOTH = 5.0
TOLERATED = 0.01  # of its volume by which a piece may be off before that is said
_EDGES = ("low z", "high z", "low y", "high y", "low x", "high x")


@dataclass(frozen=True, eq=False)
class Extracted:
    """A surface, and what is to be said of how it was made.

    `cut` are the edges of the image that each label touches, where what it is of may go on. `mask_ml` is the volume of
    each label's voxels, `mesh_ml` that which its mesh encloses, and `moved_mm` how far at most a corner lies from the
    voxels' own border. `pieces` counts each label's closed pieces, cavities included.
    """

    surface: Surface
    notes: tuple[str, ...] = ()
    cut: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mask_ml: Mapping[str, float] = field(default_factory=dict)
    mesh_ml: Mapping[str, float] = field(default_factory=dict)
    moved_mm: Mapping[str, float] = field(default_factory=dict)
    pieces: Mapping[str, int] = field(default_factory=dict)


def surface_of(
    thing: Mask | Image,
    label: Label | str | int | None = None,
    *,
    smooth: float = SMOOTH,
    keep: Keep = "all",
    level: float | None = None,
) -> Surface:
    """Return the closed surface about a label, as `extracted` does, without what is to be said of it."""
    return extracted(thing, label, smooth=smooth, keep=keep, level=level).surface


def extracted(
    thing: Mask | Image,
    label: Label | str | int | None = None,
    *,
    smooth: float = SMOOTH,
    keep: Keep = "all",
    level: float | None = None,
) -> Extracted:
    """Return a closed surface about a label of a mask, or of all labels, with what is to be said of it.

    `thing` is a mask, or an image `(1, Z, Y, X)` of labels or of bits; with `level` an image of any numbers, and the
    surface lies where these cross it. `smooth` is how far the voxels' steps are smoothed, in voxels. `keep` is `all`
    of a label's pieces, or the `largest`, cavities with it. Each piece encloses the volume of its voxels, and no
    voxel's centre changes sides. Faces are counter-clockwise from outside, whichever hand the affine has.

    Raises GeometryError without an affine or for a single plane, DataError where a label is not there or holds nothing.
    """
    image = thing.image if isinstance(thing, Mask) else thing
    _require_place(image)
    if keep not in KEEPS:
        raise DataError("which pieces to keep is not known", found=repr(keep), hint=listed(KEEPS))
    if not 0 <= smooth <= MOST_SMOOTH:
        raise DataError(f"the smoothing is 0 to {MOST_SMOOTH:g} voxels", found=f"{smooth:g}")
    found: list[Extracted | None] = []
    for one, bits in _parts(thing, label, level):
        within = None if level is None else (_plane(image), level)
        found.append(_laid(bits, image, one, smooth=smooth, keep=keep, field=within))
    return _together(found, thing)


def surface_of_bits(bits: Array, affine: Array, *, smooth: float = SMOOTH) -> Surface:
    """Return the closed surface about the voxels `(Z, Y, X)` that are True; `affine` maps `(x, y, z)` to LPS mm.

    Raises GeometryError and DataError as `extracted` does.
    """
    return surface_of(Image(np.asarray(bits, bool)[None], affine=affine), smooth=smooth)


def _require_place(image: Image) -> None:
    if image.affine is None:
        known = "its spacing alone" if image.spacing_mm is not None else "neither affine nor spacing"
        raise GeometryError(
            "a surface lies in the patient's millimetres, and the image does not say where it lies",
            found=known,
            hint="a NIfTI, NRRD or DICOM file with an affine",
        )
    if image.is_2d:
        raise GeometryError("a single plane has no surface", found=f"shape {image.shape} (z, y, x)")
    if image.array.ndim != 4:
        raise GeometryError("a surface is laid about one volume", found=f"{image.array.shape[0]} frames")


def _plane(image: Image) -> Array:
    if image.array.shape[0] != 1:
        raise DataError(
            "a surface is laid about one channel",
            found=f"{image.array.shape[0]} channels",
            hint="an image of one channel",
        )
    return np.asarray(image.array[0])


def _parts(
    thing: Mask | Image, label: Label | str | int | None, level: float | None
) -> Iterator[tuple[Label, Array]]:
    """Yield each label that is asked for with its voxels."""
    image = thing.image if isinstance(thing, Mask) else thing
    if level is not None:
        if isinstance(thing, Mask):
            raise DataError("the labels of a mask have no level", hint="an image of a measured field")
        array = _plane(image)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError("a field with values that are not finite has no surface")
        yield label if isinstance(label, Label) else Label(1, str(label or "surface")), array > level
        return
    known = thing.labels if isinstance(thing, Mask) else _labels(image)
    for one in _chosen(known, label):
        place = known.index(one)
        if isinstance(thing, Mask) and thing.overlapping:
            yield one, image.array[place] != 0
        else:
            yield one, _plane(image) == one.value


def _labels(image: Image) -> tuple[Label, ...]:
    array = _plane(image)
    if array.dtype.kind not in "iub":
        raise DataError(
            "a field of fractions has a surface at a level", found=str(array.dtype), hint="level=0.5"
        )
    values = [int(v) for v in np.unique(array) if v != 0]
    if len(values) > 1024:
        raise DataError("too many values for labels", found=counted(len(values), "value"), hint="level=…")
    return tuple(Label(v, f"label {v}") for v in values)


def _chosen(known: Sequence[Label], label: Label | str | int | None) -> list[Label]:
    if label is None:
        return [*known]
    wanted = label.value if isinstance(label, Label) else label
    found = [x for x in known if wanted == (x.name if isinstance(wanted, str) else x.value)]
    if not found:
        named = listed([f"{x.value} {x.name}" for x in known][:12]) if known else "nothing"
        raise DataError(f"there is no label {wanted!r}", found=named)
    return found


def _laid(
    bits: Array,
    image: Image,
    label: Label,
    *,
    smooth: float,
    keep: Keep,
    field: tuple[Array, float] | None = None,
) -> Extracted | None:
    """Return the surface of one label; None where it holds nothing."""
    box = _box(bits)
    if box is None:
        return None
    start = np.array([s.start for s in box])
    held = np.ascontiguousarray(bits[box])
    notes: list[str] = []
    if keep == "largest":
        held, left = _largest(held)
        if left:
            notes.append(f"{label.name}: {counted(left, 'smaller piece')} left out")
    cut = _cut(held, start, bits.shape)
    if cut:
        notes.append(f"{label.name}: cut by the image's edge at {listed(cut)}; it may go on beyond it")
    net = net_of(held)
    if field is None:
        share, piece, voxels = filled(net, shares(held, net, smooth=smooth))
    else:
        values, level = field
        share, piece, voxels = _crossed(net, values, level, start), np.zeros(0), np.zeros(0)
    affine = np.asarray(image.affine)
    size = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    corners = net.placed(share)
    if field is None:
        notes += _off(label, net, corners, piece, voxels, size)
    points = (corners + start[::-1]) @ affine[:3, :3].T + affine[:3, 3]
    faces = net.faces if np.linalg.det(affine[:3, :3]) > 0 else net.faces[:, ::-1]
    steps = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
    moved = float((np.abs(share - 0.5) * steps[net.axis]).max())
    surface = Surface(
        vertices_mm=points, faces=np.ascontiguousarray(faces), spacing_mm=image.spacing_mm, labels=(label,)
    )
    name = label.name
    enclosed = float(cones(corners - corners.mean(axis=0), net.faces).sum()) * size
    return Extracted(
        surface, tuple(notes), {name: cut} if cut else {}, {name: float(held.sum()) * size}, {name: enclosed},
        {name: moved}, {name: len(voxels)},
    )  # fmt: skip


def _crossed(net: Net, values: Array, level: float, start: Array) -> Array:
    """Return where `(V,)` between inside and outside a field crosses its level; half-way at the image's edge."""
    inside, outside = net.inside + start, net.outside + start
    within = ((outside >= 0) & (outside < values.shape)).all(axis=1)
    found = np.full(len(inside), 0.5)
    a = values[tuple(inside[within].T)].astype(np.float64) - level
    b = values[tuple(outside[within].T)].astype(np.float64) - level
    found[within] = np.clip(a / (a - b), 1e-3, 1 - 1e-3)
    return found


def _off(label: Label, net: Net, corners: Array, piece: Array, voxels: Array, ml: float) -> list[str]:
    """Return a sentence where pieces do not come within 1 % of their voxels' volume."""
    found = np.bincount(
        piece, weights=cones(corners - corners.mean(axis=0), net.faces), minlength=len(voxels)
    )
    off = np.abs(found - voxels) > TOLERATED * np.abs(voxels)
    if not off.any():
        return []
    worst = float(np.abs(found - voxels)[off].max() * ml)
    pieces = counted(int(off.sum()), "piece")
    return [f"{label.name}: {pieces} enclose another volume than their voxels, by up to {worst:.3g} ml"]


def _box(bits: Array) -> tuple[slice, slice, slice] | None:
    """Return the box `(z, y, x)` of the voxels that are True."""
    flat: Array = np.asarray(bits.any(axis=0))
    ends = []
    for line in (bits.any(axis=(1, 2)), flat.any(axis=1), flat.any(axis=0)):
        held = np.flatnonzero(line)
        if not len(held):
            return None
        ends.append(slice(int(held[0]), int(held[-1]) + 1))
    return ends[0], ends[1], ends[2]


def _largest(bits: Array) -> tuple[Array, int]:
    """Return the largest piece, and how many others there are."""
    numbered, count = ndimage.label(
        bits, ndimage.generate_binary_structure(3, 2)
    )  # joined by a face or an edge
    if count < 2:
        return bits, 0
    sizes = np.bincount(numbered.reshape(-1))
    sizes[0] = 0
    return np.asarray(numbered == int(sizes.argmax())), count - 1


def _cut(bits: Array, start: Array, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return which edges of the image the voxels touch."""
    found = []
    for axis in range(3):
        touched: Array = np.asarray(bits.any(axis=tuple(k for k in range(3) if k != axis)))
        if start[axis] == 0 and touched[0]:
            found.append(_EDGES[2 * axis])
        if start[axis] + bits.shape[axis] == shape[axis] and touched[-1]:
            found.append(_EDGES[2 * axis + 1])
    return tuple(found)


def _together(found: Sequence[Extracted | None], thing: Mask | Image) -> Extracted:
    """Return several labels' surfaces as one. Raises DataError where there is none."""
    there = [x for x in found if x is not None]
    if not there:
        raise DataError("there is nothing to lay a surface about", found="no voxel of a label")
    told: dict[str, Any] = {"source": thing.source}
    if isinstance(thing, Mask):
        told |= {name: getattr(thing, name) for name in ("case_id", "bundle", "by", "outside", "withheld")}
    surface = replace(joined([x.surface for x in there]), **told)
    return Extracted(
        surface,
        tuple(text for x in there for text in x.notes),
        {k: v for x in there for k, v in x.cut.items()},
        {k: v for x in there for k, v in x.mask_ml.items()},
        {k: v for x in there for k, v in x.mesh_ml.items()},
        {k: v for x in there for k, v in x.moved_mm.items()},
        {k: v for x in there for k, v in x.pieces.items()},
    )
