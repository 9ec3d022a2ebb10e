"""DICOM encapsulated STL and OBJ: a mesh in the study and the frame of reference of its source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vesalius.core import file_io
from vesalius.core.answers import Answer
from vesalius.core.answers.surface import Surface
from vesalius.core.case import Ref
from vesalius.core.header import Header
from vesalius.core.image import Image
from vesalius.formats import _meshes as meshes
from vesalius.formats import obj, stl

SUFFIXES = (".stl.dcm", ".obj.dcm")
MAGIC = ()
HOLDS = "Answer"
WRITES = ("Surface",)
NEEDS = ("source",)
OF = "dicom"
CODES = ("SURFACE",)


def header(ref: Ref) -> Header:
    """Raise FormatError, as a mesh has no pixels."""
    return meshes.no_header(ref)


def read(ref: Ref) -> Surface:
    """Read the mesh as a surface in LPS mm, by the unit that the object says. Raises FormatError."""
    from vesalius.dicom.read import m3d

    path = file_io.one_file(ref)
    found = m3d.document(path)
    held = stl.parsed(ref, found.data) if found.kind == "stl" else obj.parsed(ref, found.data)
    points = np.asarray(held.surface.vertices_mm) * found.mm
    return replace(held.surface, vertices_mm=points, source=found.source)


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a surface as an encapsulated STL or OBJ, by the suffix. Raises OutputError."""
    from vesalius.dicom.write import m3d, study

    kind, data = (m3d.OBJ, obj) if path.name.lower().endswith(".obj.dcm") else (m3d.STL, stl)
    meshes.to_write(thing)
    if isinstance(thing, Surface):
        study.save(m3d.document(thing, data.encoded(thing), kind, source), path)
