"""A part of an anatomy as it was given: its surface, and which of its vertices say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from vesalius import formats
from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array, Image
from vesalius.core.words import listed
from vesalius.run.shape.reading import at_edge, placed
from vesalius.shapes.extract import surface_of_bits
from vesalius.shapes.files import is_mesh, read_mesh

NEAR = 1.5  # voxels from the image's edge, or from what is hidden, within which a vertex says nothing
SMALL = 0.01  # of the voxels: pieces below it are left away


@dataclass(frozen=True, eq=False)
class Part:
    """A surface in LPS mm, which vertices are `seen` (None: all), the mask's `grid`, and notes."""

    surface: Surface
    seen: Array | None
    grid: Image | None
    notes: tuple[str, ...]


def part_from(
    source: Path | str | Image | Surface, *, label: str | None, named: str, missing: Path | str | Image | None
) -> Part:
    """Return a part of an anatomy from a mask, a mesh, or the file of either.

    `named` is what the model's label is called. Raises DataError where it is not known which label is meant.
    """
    if isinstance(source, Surface) or (not isinstance(source, Image) and is_mesh(source)):
        if missing is not None:
            raise DataError("what is missing is told of a mask, on its grid", hint="a mask instead of a mesh")
        if isinstance(source, Surface):
            return Part(source, None, None, ())
        read = read_mesh(source)
        return Part(read.surface, None, None, tuple(f"{n[0].upper()}{n[1:]}." for n in read.notes))
    mask = source if isinstance(source, Image) else formats.read_mask(source)
    names = {} if isinstance(source, Image) else {x.name: x.value for x in formats.labels(source)}
    bits = mask.array[0] == _value(mask, names, label, named)
    affine = placed(mask)
    notes = []
    pieces, count = ndimage.label(bits, ndimage.generate_binary_structure(3, 3))
    sizes = np.bincount(pieces.ravel())
    small = np.flatnonzero(sizes < SMALL * bits.sum())
    if count > 1 and len(small):
        bits = bits & ~np.isin(pieces, small)
        notes.append(f"{len(small)} small pieces were left away.")
    surface = surface_of_bits(bits, affine)
    at = np.asarray(surface.vertices_mm) @ np.linalg.inv(affine)[:3, :3].T + np.linalg.inv(affine)[:3, 3]
    ends = np.array(bits.shape[::-1]) - 1
    seen = ((at > NEAR - 1) & (at < ends - (NEAR - 1))).all(axis=1)
    if at_edge(bits):
        notes.append("The mask is cut by the image's edge, and nothing is taken as known there.")
    if missing is not None:
        seen &= ~_hidden(missing, mask, at)
    return Part(surface, None if seen.all() else np.asarray(seen), mask, tuple(notes))


def _value(mask: Image, names: dict[str, int], label: str | None, named: str) -> int:
    held = [int(v) for v in np.unique(mask.array) if v != 0]
    if not held:
        raise DataError("the mask is empty", hint="a mask that holds a part of the anatomy")
    wanted = named if label is None else label
    if wanted in names:
        return names[wanted]
    if wanted.isdigit() and int(wanted) in held:
        return int(wanted)
    if label is not None or len(held) != 1:
        raise DataError(
            f"the mask has no label '{wanted}'",
            found=listed([*names] or [str(v) for v in held]),
            hint="--label VALUE",
        )
    return held[0]


def _hidden(missing: Path | str | Image, mask: Image, at: Array) -> Array:
    """Return which vertices, at indexes `(V, 3)` in x, y, z, lie in or beside what is hidden."""
    told = missing if isinstance(missing, Image) else formats.read_mask(missing)
    if told.shape != mask.shape or not np.allclose(placed(told), placed(mask), atol=1e-3):
        raise GeometryError(
            "what is missing is drawn on another grid than the mask", hint="one on the mask's grid"
        )
    wide = ndimage.binary_dilation(told.array[0] != 0, iterations=2)
    low = np.clip(np.rint(at[:, ::-1]).astype(int), 0, np.array(mask.shape) - 1)
    return np.asarray(wide[tuple(low.T)])
