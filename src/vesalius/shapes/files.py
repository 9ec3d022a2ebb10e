"""Surfaces from files of meshes and back into them: STL, OBJ, PLY, GLB, 3MF, and DICOM's encapsulated STL and OBJ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from vesalius import formats
from vesalius.core import registry
from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError, FormatError
from vesalius.core.file_io import as_ref, typed_errors
from vesalius.core.image import Image
from vesalius.core.meshes import FRAMES, Loaded, from_ras
from vesalius.core.words import listed


@dataclass(frozen=True, eq=False)
class Read:
    """A surface from a file, and what had to be assumed of it, a sentence each."""

    surface: Surface
    notes: tuple[str, ...] = ()


def mesh_suffixes(*, written: bool = False) -> tuple[str, ...]:
    """Return the suffixes of files of meshes; if `written`, those that are written without a DICOM source."""
    found = []
    for name in registry.stems("formats"):
        said = registry.literals("formats", name)
        if "Surface" in said.get("WRITES", ()) and not (written and said.get("NEEDS")):
            found += [str(suffix) for suffix in said["SUFFIXES"]]
    return tuple(sorted(found))


def is_mesh(path: Path | str) -> bool:
    """Return whether a file is one of meshes, by its name, or by its content where that says it."""
    try:
        name = formats.sniff(path)
    except FormatError:
        return False
    return "Surface" in registry.literals("formats", name).get("WRITES", ())


def read_surface(path: Path | str, *, frame: str | None = None) -> Surface:
    """Return the surface in a file of meshes, as `read_mesh` does, without what was assumed of it."""
    return read_mesh(path, frame=frame).surface


def read_mesh(path: Path | str, *, frame: str | None = None) -> Read:
    """Return the surface in a file of meshes in LPS mm, and what had to be assumed.

    `frame` says whether its numbers are `LPS` or `RAS` where the file does not; without either LPS is assumed, and
    said.

    Raises FormatError for a damaged or hostile file, DataError where `frame` is not what the file says.
    """
    path = Path(path)
    wanted = None if frame is None else frame.upper()
    if wanted is not None and wanted not in FRAMES:
        raise DataError("the frame of a mesh is not known", found=repr(frame), hint=listed(FRAMES))
    found = _loaded(path)
    if found.frame is not None:
        if wanted is not None and wanted != found.frame:
            raise DataError(
                f"{path}: the file says that it is {found.frame}", found=f"--frame {frame}", hint="no --frame"
            )
        return Read(found.surface, _of_unit(found))
    if wanted is None:
        told = "the file does not say its frame: LPS was assumed (--frame ras for the other)"
        return Read(found.surface, (told, *_of_unit(found)))
    return Read(from_ras(found.surface) if wanted == "RAS" else found.surface, _of_unit(found))


def _of_unit(found: Loaded) -> tuple[str, ...]:
    return () if found.unit is not None else ("the file does not say its unit: millimetres were assumed",)


def _loaded(path: Path) -> Loaded:
    if not path.is_file():
        raise FormatError(f"{path}: no such file")
    if path.name.lower().endswith(".dcm"):
        surface = formats.read_answer(path)
        if not isinstance(surface, Surface):
            raise FormatError(f"{path}: holds no mesh", found=type(surface).__name__)
        return Loaded(surface, "LPS", "mm")
    name = formats.sniff(path)
    if "Surface" not in registry.literals("formats", name).get("WRITES", ()):
        raise FormatError(f"{path}: not a file of meshes", hint=f"one of {' '.join(mesh_suffixes())}")
    ref = as_ref(path)
    with typed_errors(ref):
        return cast(Loaded, registry.lookup("formats", name).load(ref))


def write_surface(surface: Surface, path: Path | str, *, source: Image | None = None) -> Path:
    """Write a surface in the format that the path's suffix names, in LPS mm; whole or not at all.

    Raises OutputError where it cannot be written there, or the format does not hold several labels.
    """
    return formats.write(surface, path, source=source)
