"""Meshes as encapsulated STL and OBJ: in their source's study and frame, valid, and read back in millimetres."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from vesalius import formats
from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError, NotAnImage, OutputError
from vesalius.core.image import Image

CORNERS = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 10.0]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


@pytest.fixture
def surface(ct: Image) -> Surface:
    return Surface(
        vertices_mm=CORNERS, faces=FACES, labels=(Label(1, "liver"),), source=ct.source, bundle="ab" * 32
    )


@pytest.mark.parametrize("suffix", [".stl.dcm", ".obj.dcm"])
def test_a_mesh_is_written_into_its_study_and_read_back(
    suffix: str, surface: Surface, ct: Image, tmp_path: Path, dciodvfy: Callable[[Path], list[str]]
) -> None:
    path = formats.write(surface, tmp_path / f"x{suffix}", source=ct)
    unknown = ["Error - Information Object Not found"]  # dicom3tools does not know OBJ yet
    assert dciodvfy(path) in ([], unknown if suffix == ".obj.dcm" else [])
    head = pydicom.dcmread(path)
    assert head.Modality == "M3D" and head.StudyInstanceUID == ct.source.study_uid
    assert head.FrameOfReferenceUID == ct.source.frame_of_reference_uid
    assert {x.ReferencedSOPInstanceUID for x in head.SourceInstanceSequence} == set(ct.source.sop_uids)
    assert head.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    back = formats.read_answer(path)
    assert isinstance(back, Surface)
    assert np.array_equal(np.sort(back.vertices_mm[back.faces].sum(1), 0), np.sort(CORNERS[FACES].sum(1), 0))
    assert back.source.frame_of_reference_uid == ct.source.frame_of_reference_uid
    with pytest.raises(NotAnImage, match="mesh"):
        formats.read(path.rename(tmp_path / "y.dcm"))


def test_the_unit_of_the_object_counts_and_one_without_is_refused(
    surface: Surface, ct: Image, tmp_path: Path
) -> None:
    path = formats.write(surface, tmp_path / "x.stl.dcm", source=ct)
    data = pydicom.dcmread(path)
    data.MeasurementUnitsCodeSequence[0].CodeValue = "cm"
    data.save_as(path)
    back = formats.read_answer(path)
    assert isinstance(back, Surface) and np.ptp(back.vertices_mm, axis=0).tolist() == [100, 100, 100]
    del data.MeasurementUnitsCodeSequence
    data.save_as(path)
    with pytest.raises(FormatError, match="unit of its mesh is not known"):
        formats.read_answer(path)
    data.EncapsulatedDocumentLength = 7
    data.save_as(path)
    with pytest.raises(FormatError, match="not as long as it says"):
        formats.read_answer(path)


def test_a_mesh_of_an_image_that_is_no_dicom_is_refused(surface: Surface, tmp_path: Path) -> None:
    lone = Surface(vertices_mm=CORNERS, faces=FACES)
    with pytest.raises(OutputError, match="study of their source"):
        formats.write(lone, tmp_path / "x.stl.dcm")
    assert not list(tmp_path.iterdir())
