"""Meshes of what files hold: masks by label, answers, and other meshes; each made, checked and measured."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from vesalius import formats
from vesalius.answers import contract
from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.image import Image
from vesalius.core.meshes import joined, pieces
from vesalius.core.words import listed
from vesalius.shapes.checks import Checks, checked
from vesalius.shapes.extract import SMOOTH, Extracted, Keep, extracted
from vesalius.shapes.files import is_mesh, read_mesh
from vesalius.shapes.measures import Measures, measured
from vesalius.shapes.reduce import ROUNDS, reduced, smoothed
from vesalius.shapes.repair import repaired

NAMELESS = "surface"
MASKS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".mnc", ".npz", ".dcm")


@dataclass(frozen=True)
class How:
    """How meshes are made; see `vs.mesh`."""

    labels: tuple[str, ...] = ()
    names: Mapping[int, str] | None = None
    smooth: float | None = None
    faces: int | None = None
    within_mm: float | None = None
    keep: Keep = "all"
    frame: str | None = None


@dataclass(frozen=True, eq=False)
class Piece:
    """One label's mesh with what it measures and what is amiss; `mask_ml` is the volume of its voxels, if of a mask."""

    name: str
    label: Label | None
    surface: Surface
    measures: Measures
    checks: Checks
    mask_ml: float | None = None
    moved_mm: float = 0.0
    cut: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        """Return the piece's figures by name."""
        return {
            "label": self.name,
            "value": None if self.label is None else self.label.value,
            "vertices": len(self.surface.vertices_mm),
            "faces": len(self.surface.faces),
            "mask_ml": self.mask_ml,
            "moved_mm": self.moved_mm,
            "cut": list(self.cut),
            "measures": self.measures.json(),
            "checks": self.checks.json(),
        }


@dataclass(frozen=True, eq=False)
class Made:
    """What one file gave: its surface, its labels' pieces, and notes."""

    name: str
    surface: Surface
    pieces: tuple[Piece, ...]
    notes: tuple[str, ...] = ()


def made_of(path: Path, how: How) -> Made:
    """Return the mesh of a file that holds a mask, an answer or a mesh. Raises DataError and its kin."""
    name = formats.stem(path)
    if is_mesh(path):
        found = read_mesh(path, frame=how.frame)
        mended = repaired(found.surface)
        chosen = _chosen(mended.surface, how.labels)
        return _finished(name, chosen, how, (*found.notes, *mended.notes), None)
    if how.frame is not None:
        raise DataError("a mask says itself where it lies", found=f"--frame {how.frame}", hint="no --frame")
    laid = _laid_of(path, how)
    return _finished(name, laid.surface, how, laid.notes, laid)


def masks_below(folder: Path) -> list[Path]:
    """Return the masks in a folder of answers, by name. Raises DataError where there is none."""
    found = [p for p in sorted(folder.iterdir()) if p.is_file() and p.name.lower().endswith(MASKS)]
    if not found:
        raise DataError(f"{folder} holds no masks", hint=f"files such as case.nii.gz ({' '.join(MASKS)})")
    return found


def _laid_of(path: Path, how: How) -> Extracted:
    """Return the surfaces of a mask's labels in a file, named where the file, or an answer beside it, has names."""
    if path.name.lower().endswith(".json"):
        answer = formats.read_answer(path)
        if _has_labels(answer):
            return _laid(cast(Mask, answer), how)
        surface = contract.of(answer).surface(answer)
        if surface is None:
            raise DataError(f"{path}: no surface can be made of it", found=type(answer).__name__)
        return Extracted(_chosen(surface, how.labels))
    beside = path.with_name(f"{formats.stem(path)}.json")
    if beside.is_file():
        with contextlib.suppress(VesaliusError):  # another kind of JSON
            told = formats.read_answer(beside)
            if _has_labels(told):
                return _laid(cast(Mask, told), how)
    return _laid(_named(path, how), how)


def _has_labels(answer: Answer) -> bool:
    """Return whether an answer has labels on a grid, one for each voxel or several."""
    return isinstance(answer, ImageAnswer) and answer.holds == "labels" and hasattr(answer, "overlapping")


def _named(path: Path, how: How) -> Mask | Image:
    """Return the labels in a file of an image, with names where the file has them or they were given."""
    image = formats.read_mask(path)
    named = {x.value: x for x in formats.labels(path)}
    named |= {value: Label(value, name) for value, name in (how.names or {}).items()}
    if image.array.shape[0] > 1:
        planes = tuple(named.get(k, Label(k, f"label {k}")) for k in range(1, image.array.shape[0] + 1))
        return Mask(image=image, labels=planes, overlapping=True, source=image.source)
    if not named:
        return image
    values = [int(v) for v in np.unique(image.array) if v != 0]
    labels = tuple(named.get(v, Label(v, f"label {v}")) for v in values)
    return Mask(image=image, labels=labels, source=image.source)


def _laid(thing: Mask | Image, how: How) -> Extracted:
    told: dict[str, Any] = {"smooth": SMOOTH if how.smooth is None else how.smooth, "keep": how.keep}
    if not how.labels:
        return extracted(thing, **told)
    found = [extracted(thing, int(x) if x.lstrip("-").isdigit() else x, **told) for x in how.labels]
    return replace(
        found[0],
        surface=joined([x.surface for x in found]),
        notes=tuple(note for x in found for note in x.notes),
        **{
            name: {k: v for x in found for k, v in getattr(x, name).items()}
            for name in ("cut", "mask_ml", "mesh_ml", "moved_mm", "pieces")
        },
    )


def _chosen(surface: Surface, wanted: Sequence[str]) -> Surface:
    """Return the mesh of some labels. Raises DataError where one is not there."""
    if not wanted:
        return surface
    known = [(label, one) for label, one in pieces(surface) if label is not None]
    found = [one for w in wanted for label, one in known if w in (label.name, str(label.value))]
    if len(found) != len(wanted):
        named = listed([x.name for x, _ in known]) if known else "a mesh without labels"
        raise DataError(f"there is no label {listed([repr(w) for w in wanted])}", found=named)
    return joined(found)


def _finished(name: str, surface: Surface, how: How, notes: Sequence[str], laid: Extracted | None) -> Made:
    """Return a mesh thinned and smoothed as asked for, checked and measured label by label."""
    made, moved = [], 0.0
    said = list(notes)
    if laid is None and how.smooth:
        step = smoothed(surface, rounds=max(round(ROUNDS * how.smooth), 1), within_mm=how.within_mm)
        surface, moved = step.surface, step.moved_mm
        said += step.notes
    if how.faces is not None:
        thin = reduced(surface, how.faces, within_mm=how.within_mm)
        surface, moved = thin.surface, moved + thin.moved_mm
        said += thin.notes
    for label, one in pieces(surface):
        called = label.name if label is not None else NAMELESS
        made.append(
            Piece(
                called, label, one, measured(one), checked(one),
                None if laid is None else laid.mask_ml.get(called),
                moved + (0.0 if laid is None else laid.moved_mm.get(called, 0.0)),
                () if laid is None else tuple(laid.cut.get(called, ())),
            )
        )  # fmt: skip
    said += [f"{p.name}: {listed(p.checks.faults)}" for p in made if p.checks.faults]
    said += [
        f"{p.name}: too many faces to look whether any cross" for p in made if p.checks.crossings is None
    ]
    return Made(name, surface, tuple(made), tuple(said))


def files_of(made: Made, folder: Path, *, suffix: str, split: bool) -> Iterator[tuple[str, Surface]]:
    """Yield what is written of one input into a folder: a name, and the surface."""
    if not split:
        yield f"{made.name}{suffix}", made.surface
        return
    from vesalius.core.file_names import FileNames

    names = FileNames()
    for piece in made.pieces:
        yield f"{made.name}.{names[piece.name]}{suffix}", piece.surface
