"""mesh: closed surfaces of masks, in millimetres, checked and measured; and meshes from one format into another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.cohort import SetAside
from vesalius.core.disk import assert_apart, new_folder
from vesalius.core.errors import DataError, OutputError, UsageError, VesaliusError
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted
from vesalius.run.meshing import How, Made, files_of, made_of, masks_below
from vesalius.run.stopping import all_or_nothing
from vesalius.run.wanted import reason_of
from vesalius.shapes.extract import Keep
from vesalius.shapes.files import mesh_suffixes
from vesalius.verbs.write import write

__all__ = ["Meshes", "mesh"]

WORK = "making meshes"


@dataclass(frozen=True, eq=False)
class Meshes:
    """What `mesh` made: of each input its surface with pieces by label, the files, and what was set aside."""

    meshes: tuple[Made, ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether every piece is closed, manifold, turned outward and crosses nowhere, as far as was looked for."""
        return all(piece.checks.sound for one in self.meshes for piece in one.pieces)

    def json(self) -> dict[str, Any]:
        """Return the figures of every piece, the files and the notes."""
        return {
            "files": [str(path) for path in self.files],
            "sound": self.sound,
            "meshes": [{"input": one.name, **piece.json()} for one in self.meshes for piece in one.pieces],
            "notes": list(self.notes),
            "set_aside": [{"input": a.case, "reason": a.reason} for a in self.set_aside],
        }


def mesh(
    source: Path | str,
    out: Path | str,
    *,
    labels: Sequence[str] | None = None,
    names: Mapping[int, str] | None = None,
    smooth: float | None = None,
    faces: int | None = None,
    within_mm: float | None = None,
    keep: Keep = "all",
    split: bool = False,
    form: str = "stl",
    frame: str | None = None,
    study: Path | str | None = None,
    progress: Progress | bool | None = None,
) -> Meshes:
    """Write closed surfaces of what a mask holds, in LPS mm, and return what they measure and whether they are sound.

    Each closed piece encloses its voxels' volume, and no voxel's centre changes sides. What touches the image's edge is
    closed there, and that is said. A file of a mesh is read, mended where that is safe, and written in another format.

    Args:
        source: A mask (NIfTI, NRRD, MHA, npz, DICOM SEG), an answer's JSON, a folder of masks as `predict` writes it,
            or a mesh (STL, OBJ, PLY, GLB, 3MF, and DICOM's encapsulated STL and OBJ).
        out: A file whose suffix names the format, `.stl.dcm` and `.obj.dcm` among them; or a new folder.
        labels: Names or values of labels; by default all.
        names: What values are called, where the file does not say it: `{1: "liver"}`.
        smooth: Over how many voxels a mask's steps are smoothed, by default 1; of a mesh, tens of rounds of smoothing,
            by default none.
        faces: About how many faces are wanted in all.
        within_mm: How far thinning, and smoothing of a mesh, may move it; by default half the largest side of a voxel.
        keep: `all` pieces of a label, or the `largest`.
        split: One file a label, in a folder. Formats that hold one thing are split in a folder anyhow.
        form: The format of the files in a folder: `stl`, `obj`, `ply`, `glb` or `3mf`.
        frame: `lps` or `ras`, of a mesh whose file does not say it.
        study: The folder of the DICOM series into whose study an encapsulated mesh is written.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        What was made of each input.

    Raises:
        DataError: There is no such label, nothing in it, or no mask in the folder.
        GeometryError: The mask does not say where it lies.
        FormatError: A file is damaged or hostile.
        OutputError: It cannot be written there, or the format does not hold several labels.
        UsageError: `split` without a folder.
    """
    shown, place, goal = watched(progress), Path(source), Path(out)
    how = How(tuple(labels or ()), names, smooth, faces, within_mm, keep, frame)
    lone = next((s for s in mesh_suffixes() if goal.name.lower().endswith(s)), None)
    if not place.exists():
        raise DataError(f"{place}: no such file or folder")
    if lone is not None:
        if place.is_dir():
            raise UsageError(f"{place} is a folder: what is made of it goes into a folder", found=goal.name)
        if split:
            raise UsageError("one file a label goes into a folder", found=goal.name, hint="-o FOLDER")
        made = made_of(place, how)
        write(made.surface, goal, source=study)
        return Meshes((made,), (goal,), made.notes)
    if f".{form}" not in mesh_suffixes(written=True):
        known = ", ".join(s[1:] for s in mesh_suffixes(written=True))
        raise UsageError(f"meshes are not written as '{form}'", hint=f"one of {known}")
    if goal.suffix and not goal.is_dir():
        raise OutputError(
            f"{goal}: not a format of meshes", hint=f"one of {' '.join(mesh_suffixes())}, or a folder"
        )
    if place.is_dir():
        assert_apart(place, goal)
    paths = masks_below(place) if place.is_dir() else [place]
    folder = new_folder(goal, default="mesh")
    with all_or_nothing(folder):
        return _several(paths, folder, how, f".{form}", split or form == "stl", shown)


def _several(
    paths: Sequence[Path], folder: Path, how: How, suffix: str, split: bool, shown: Progress
) -> Meshes:
    """Write what each file gives; those that give nothing are set aside with the reason."""
    found: list[Made] = []
    files: list[Path] = []
    aside: list[SetAside] = []
    notes: list[str] = []
    shown.start(WORK, len(paths))
    for path in paths:
        try:
            made = made_of(path, how)
        except VesaliusError as error:
            if len(paths) == 1:
                raise
            aside.append(SetAside(path.name, reason_of(error, path.name)))
            shown.note(f"not made: {path.name}: {aside[-1].reason}")
        else:
            for name, surface in files_of(made, folder, suffix=suffix, split=split):
                files.append(write(surface, folder / name))
            found.append(made)
            notes += made.notes if len(paths) == 1 else [f"{made.name}: {note}" for note in made.notes]
        shown.advance(WORK)
    shown.finish(WORK)
    if not found:
        raise DataError(f"no mesh can be made of {counted(len(paths), 'file')}", found=aside[-1].reason)
    return Meshes(tuple(found), tuple(files), tuple(notes), tuple(aside))
