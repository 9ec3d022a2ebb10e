"""The shapes that a model learns from, each checked: one whole piece, in millimetres, not cut by the image's edge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from vesalius import cohorts
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.answers.surface import Surface
from vesalius.core.case import Ref
from vesalius.core.cohort import Cohort, Label
from vesalius.core.disk import sha256
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.core.progress import Progress
from vesalius.core.words import counted, listed
from vesalius.prepare.case import load_mask
from vesalius.shapes.extract import surface_of_bits
from vesalius.shapes.files import mesh_suffixes, read_mesh

SMALL = 0.05  # of the voxels: other pieces below it are left away
WORK = "surfaces"


@dataclass(frozen=True, eq=False)
class Shapes:
    """Surfaces by name, with why other cases have none, what must be read, and what they are of."""

    surfaces: Mapping[str, Surface]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    label: str
    data_hash: str
    meshes: bool


def shapes_of(
    data: Path | str | Cohort,
    *,
    label: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    progress: Progress,
) -> Shapes:
    """Return the surfaces of a cohort's masks, or of a folder of meshes.

    Raises DataError where there is no mask, or several labels and none is named; UnknownName.
    """
    found = [] if isinstance(data, Cohort) else meshes_in(Path(data))
    if found:
        return _meshes(found, label, progress)
    cohort = cohorts.open_cohort(
        data, layout=layout, columns=columns, labels=labels, target=target, max_set_aside=1.0
    )
    cohort = cohorts.check(cohort, progress=progress, max_set_aside=1.0)
    name = _target(cohort, target)
    one = _label(cohort.targets[name].labels, label)
    surfaces: dict[str, Surface] = {}
    left = {case.case: case.reason for case in cohort.set_aside}
    dropped = 0
    progress.start(WORK, len(cohort.cases))
    for case in cohort.cases:
        drawn = case.targets.get(name)
        try:
            if not isinstance(drawn, Ref | Image):
                raise DataError(f"no {name}")
            mask = load_mask(drawn)
            bits, small = whole(mask.array[0] == one.value, one.name)
            dropped += small
            surfaces[case.id] = surface_of_bits(bits, placed(mask))
        except DataError as error:
            left[case.id] = str(error)
        progress.advance(WORK)
    progress.finish(WORK)
    notes = (
        (f"Small pieces beside the largest were left away in {counted(dropped, 'case')}.",) if dropped else ()
    )
    several = sum("several pieces" in why for why in left.values())
    if several > len(surfaces):
        raise DataError(
            f"'{one.name}' is of several pieces in most cases",
            found=counted(several, "case"),
            hint="a label for each piece, as left and right",
        )
    return Shapes(surfaces, left, notes, one.name, cohort.hash, False)


def whole(bits: Array, name: str) -> tuple[Array, bool]:
    """Return the one piece of a mask `(Z, Y, X)`, and whether small ones were left away.

    Raises DataError where it is empty, in several pieces, or cut by the image's edge.
    """
    if not bits.any():
        raise DataError(f"no voxel is '{name}'")
    pieces, count = ndimage.label(bits, ndimage.generate_binary_structure(3, 3))
    sizes = np.bincount(pieces.ravel())[1:]
    if count > 1 and np.sort(sizes)[-2] > SMALL * sizes.sum():
        raise DataError(
            f"'{name}' is in several pieces", found=counted(int((sizes > SMALL * sizes.sum()).sum()), "piece")
        )
    bits = pieces == int(sizes.argmax()) + 1
    if at_edge(bits):
        raise DataError(f"'{name}' is cut by the image's edge", hint="`vesalius complete` takes such a mask")
    return np.asarray(bits), count > 1


def at_edge(bits: Array) -> bool:
    """Return whether a mask `(Z, Y, X)` reaches the image's edge, where it may go on."""
    return any(bool(np.take(bits, k, axis).any()) for axis in range(3) for k in (0, -1))


def placed(mask: Image) -> Array:
    """Return the affine of a mask. Raises DataError where it does not say where it lies."""
    if mask.affine is None:
        raise DataError(
            "the mask does not say where it lies, so that left and right are not known",
            hint="a file with an affine",
        )
    return mask.affine


def meshes_in(path: Path) -> list[Path]:
    """Return the meshes in a folder that holds nothing else to read; none of anything else."""
    if not path.is_dir():
        return []
    ends = tuple(x for x in mesh_suffixes() if x != ".dcm")
    return sorted(p for p in path.iterdir() if p.is_file() and p.name.lower().endswith(ends))


def _meshes(paths: Sequence[Path], label: str | None, progress: Progress) -> Shapes:
    surfaces: dict[str, Surface] = {}
    left: dict[str, str] = {}
    notes: dict[str, int] = {}
    digest = hashlib.sha256()
    progress.start(WORK, len(paths))
    for path in paths:
        digest.update(f"{path.name} {sha256(path)}\n".encode())
        try:
            read = read_mesh(path)
            surfaces[path.name] = replace(read.surface, labels=(), face_labels=None)
            for note in read.notes:
                notes[note] = notes.get(note, 0) + 1
        except DataError as error:
            left[path.name] = str(error)
        progress.advance(WORK)
    progress.finish(WORK)
    told = tuple(f"Of {counted(n, 'mesh', 'meshes')}: {note}." for note, n in notes.items())
    return Shapes(surfaces, left, told, label or "", digest.hexdigest(), True)


def _target(cohort: Cohort, target: str | None) -> str:
    drawn = [name for name, info in cohort.targets.items() if kinds.of(info.kind).drawn]
    if target is not None and target not in drawn:
        raise UnknownName("target that is drawn", target, drawn)
    if target is None and len(drawn) != 1:
        raise DataError(
            "shapes are of a mask, and the cohort has " + ("several" if drawn else "none"),
            found=listed(drawn) or "no target that is drawn",
            hint="--target NAME" if drawn else "a cohort with masks, or a folder of meshes",
        )
    return drawn[0] if target is None else target


def _label(labels: Sequence[Label], label: str | None) -> Label:
    found = [x for x in labels if x.value != 0]
    if label is not None:
        one = next((x for x in found if label in (x.name, str(x.value))), None)
        if one is None:
            raise UnknownName("label", label, [x.name for x in found])
        return one
    if len(found) != 1:
        raise DataError(
            "a shape model is of one label",
            found=listed([x.name for x in found]) or "none",
            hint="--label NAME",
        )
    return found[0]
