"""Parametric maps float for float, overlays that change what they should, PDFs; and all objects of real files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from _studies import by_hand

from vesalius import formats
from vesalius.core.answers import Answer
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Text
from vesalius.core.case import Box, Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import OutputError
from vesalius.core.image import Image

Errors = Callable[[Path], list[str]]


def map_of(image: Image) -> Map:
    field = np.random.default_rng(0).normal(size=(1, *image.shape)).astype(np.float32)
    made = replace(image, array=field, unit=None, channels=())
    return Map(image=made, quantity="saliency", unit="mm2/s", source=image.source, bundle="ab" * 32)


def test_a_map_comes_back_float_for_float(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    answer = map_of(ct)
    path = formats.write(answer, tmp_path / "m.dcm", source=ct)
    assert dciodvfy(path) == []
    data = pydicom.dcmread(path)
    assert data.ContentQualification == "RESEARCH" and "research use" in data.SeriesDescription
    back = formats.read(path)
    assert np.array_equal(back.array, answer.image.array) and np.allclose(back.affine, ct.affine, atol=1e-4)
    mapping = data.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "mm2/s"
    raw = np.frombuffer(data.FloatPixelData, "<f4").reshape(ct.shape)
    places = [f.PlanePositionSequence[0].ImagePositionPatient for f in data.PerFrameFunctionalGroupsSequence]
    order = np.linalg.inv(ct.affine) @ np.c_[np.array(places, float), np.ones(len(places))].T
    assert np.array_equal(raw, answer.image.array[0][order[2].round().astype(int)])


def test_an_overlay_is_the_source_with_the_mask_on_it(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    values = np.zeros((1, *ct.shape), np.uint8)
    values[0, 2:4, 5:15, 6:18] = 3
    mask = Mask(
        image=replace(ct, array=values), labels=(Label(3, "liver", colour="#ff0000"),), source=ct.source
    )
    path = formats.write(mask, tmp_path / "m.sc.dcm", source=ct)
    assert dciodvfy(path) == []
    data = pydicom.dcmread(path)
    frames = data.pixel_array
    assert frames.shape == (*ct.shape, 3) and frames.dtype == np.uint8
    grey = (frames[..., 0] == frames[..., 1]) & (frames[..., 1] == frames[..., 2])
    assert np.array_equal(~grey, values[0] != 0)  # red where the mask is, grey elsewhere
    low, high = ct.display["window"][0] - ct.display["window"][1] / 2, ct.display["window"][1]
    wanted = np.clip((ct.array[0].astype(np.float64) - low) / high, 0, 1) * 255
    assert np.abs(frames[..., 0] - wanted)[grey].max() <= 0.51
    assert (frames[2, 5, 6] == (255, 0, 0)).all()  # its outline
    assert "research use" in data.DerivationDescription and data.BurnedInAnnotation == "NO"
    own = formats.write(map_of(ct), tmp_path / "own.sc.dcm")  # its source found by itself
    assert dciodvfy(own) == [] and pydicom.dcmread(own).pixel_array.shape == frames.shape


def test_objects_of_an_unlike_image_say_so_each_by_itself(
    ct: Image, tmp_path: Path, dciodvfy: Errors
) -> None:
    """A map has no report beside it, and a segmentation may be looked at without its own."""
    values = np.zeros((1, *ct.shape), np.uint8)
    values[0, 2:4, 5:15, 6:18] = 3
    mask = Mask(image=replace(ct, array=values), labels=(Label(3, "liver"),), source=ct.source)
    said = ("accepted: modality MR, learned from CT", "body part HEAD, learned from ABDOMEN")
    text = f"Differs from what the model learned from: {'; '.join(said)}"
    for answer, suffix in (
        (mask, ".seg.dcm"), (mask, ".rt.dcm"), (mask, ".sc.dcm"), (map_of(ct), ".pm.dcm"), (map_of(ct), ".sc.dcm"),
    ):  # fmt: skip
        name = "StructureSetDescription" if suffix == ".rt.dcm" else "ImageComments"
        plain = formats.write(answer, tmp_path / f"plain-{type(answer).__name__}{suffix}", source=ct)
        assert "Differs" not in str(pydicom.dcmread(plain).get(name, ""))
        marked = replace(answer, outside=said)
        path = formats.write(marked, tmp_path / f"{type(answer).__name__}{suffix}", source=ct)
        assert str(pydicom.dcmread(path)[name].value).endswith(text) and dciodvfy(path) == []


def test_a_text_is_a_document(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    answer = Text(sections={"findings": "Größe 5 μm. " * 600}, source=ct.source, bundle="b")
    path = formats.write(answer, tmp_path / "t.pdf.dcm", source=ct)
    assert dciodvfy(path) == []
    data = pydicom.dcmread(path)
    body = data.EncapsulatedDocument[: data.EncapsulatedDocumentLength]
    assert body.startswith(b"%PDF-") and body.rstrip().endswith(b"%%EOF")
    assert body.count(b"/Type /Page ") + body.count(b"/Type /Page\n") == 2
    assert "research use" in data.DocumentTitle and data.StudyInstanceUID == ct.source.study_uid
    with pytest.raises(OutputError, match="font does not have.*肝"):
        formats.write(replace(answer, sections={"findings": "肝"}), path, source=ct)


ZOO = (
    "CT_small.dcm",
    "explicit_VR-UN.dcm",
    "eCT_Supplemental.dcm",
    "JPEG2000.dcm",
    "examples_palette.dcm",
    "examples_rgb_color.dcm",
    "rtdose.dcm",  # frames without functional groups
    "sample-op.dcm",  # one frame of a class of several
    "ctbrain1.dcm",  # rows and columns that are not quite of length 1
    "693_J2KI.dcm",  # no frame of reference
)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ZOO)
def test_every_object_of_real_files_is_sound(
    name: str, shared_data: Path, tmp_path: Path, dciodvfy: Errors
) -> None:
    found = sorted((shared_data / "dicom_zoo").rglob(name))
    if not found:
        pytest.fail(f"{name} is not in the zoo")
    image = formats.read(Ref((found[0],)))
    z, y, x = image.shape
    values = np.zeros((1, z, y, x), np.int16)
    values[0, z // 2 :, y // 4 : y // 2, x // 4 : x // 2] = 40
    said = {"source": image.source, "bundle": "ab" * 32}
    plain = replace(image, array=values, channels=(), unit=None)
    mask = Mask(image=plain, labels=(Label(40, "liver"), Label(2, "other")), **said)  # type: ignore[arg-type]
    scores = Scores(labels=(Label(0, "benign"),), p=np.ones(1), parts={"mask": mask}, **said)  # type: ignore[arg-type]
    boxes = Boxes(boxes=(Box((0, 1, 2), (1, 5, 6), "mass"),), p=np.ones(1), labels=(), **said)  # type: ignore[arg-type]
    text = Text(sections={"findings": "none"}, **said)  # type: ignore[arg-type]
    field = Map(image=replace(plain, array=values.astype(np.float32)), quantity="q", **said)  # type: ignore[arg-type]
    written: list[tuple[Answer, str]] = [
        (mask, "m.seg.dcm"), (mask, "m.sr.dcm"), (scores, "s.sr.dcm"), (boxes, "b.sr.dcm"), (text, "t.sr.dcm"),
        (text, "t.pdf.dcm"), (mask, "m.sc.dcm"), (field, "f.sc.dcm"),
        *([(mask, "m.rt.dcm"), (field, "f.pm.dcm")] if image.affine is not None else []),
    ]  # fmt: skip
    for answer, file in written:
        path = formats.write(answer, tmp_path / file, source=image)
        assert dciodvfy(path) == [], file
    found = by_hand(tmp_path / "m.seg.dcm")[1]
    assert sum(int(plane.sum()) for plane in found.values()) == int((values == 40).sum())
    if image.affine is not None:
        for k in range(z):
            there = image.affine[:3] @ [0, 0, k, 1]
            place = min(found, key=lambda p: float(np.abs(np.array(p) - there).max()))
            assert np.abs(np.array(place) - there).max() < 0.01
            assert np.array_equal(found[place], values[0, k] == 40)


def test_a_map_of_a_narrow_range_has_a_window_that_may_be_so_narrow(
    ct: Image, tmp_path: Path, dciodvfy: Errors
) -> None:
    """PS3.3 C.11.2.1.2: a width below 1 is for LINEAR_EXACT and SIGMOID alone; explanations often have one."""
    wide = map_of(ct)
    scaled = wide.image.array / np.abs(wide.image.array).max() * 0.2
    narrow = replace(wide, image=replace(wide.image, array=scaled.astype(np.float32)))
    path = formats.write(narrow, tmp_path / "narrow.pm.dcm", source=ct)
    assert dciodvfy(path) == []
    (voi,) = pydicom.dcmread(path).SharedFunctionalGroupsSequence[0].FrameVOILUTSequence
    assert voi.VOILUTFunction == "LINEAR_EXACT"
    ends = voi.WindowCenter - voi.WindowWidth / 2, voi.WindowCenter + voi.WindowWidth / 2
    assert ends == pytest.approx((float(scaled.min()), float(scaled.max())), abs=1e-6)
    plain = pydicom.dcmread(formats.write(wide, tmp_path / "wide.pm.dcm", source=ct))
    assert "VOILUTFunction" not in plain.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence[0]
