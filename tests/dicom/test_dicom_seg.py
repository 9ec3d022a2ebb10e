"""Segmentations: voxel for voxel in place by two readers, coded, with the standard's verifier content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from _studies import GRID, TURNS, by_hand, make_study
from pydicom.dataset import Dataset
from pydicom.sr._concepts_dict import concepts

from vesalius import formats
from vesalius.core import palette
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import GeometryError, OutputError
from vesalius.core.image import Array, Image
from vesalius.dicom.values import terms
from vesalius.dicom.values.colours import chosen, cielab
from vesalius.dicom.write.study import series_text

Errors = Callable[[Path], list[str]]
LABELS = (
    Label(4, "Left Kidney"),
    Label(300, "liver tumours", colour="#ff0000"),
    Label(-2, "Zwickel"),
    Label(9, "spleen"),
)


def mask_of(image: Image, *, bundle: str = "ab" * 32, seed: int = 0) -> Mask:
    """Values that do not follow on each other, at random, one of them nowhere."""
    values = np.random.default_rng(seed).choice([0, 4, 300, -2], size=(1, *image.shape)).astype(np.int16)
    values[:, :2] = 0
    made = replace(image, array=values, channels=(), unit=None)
    return Mask(image=made, labels=LABELS, source=image.source, bundle=bundle)


def on_planes(found: dict[tuple[float, ...], Array], image: Image) -> Array:
    """Planes by their position, put where the source's planes with those positions are."""
    heads = {str(h.SOPInstanceUID): h for h in map(pydicom.dcmread, image.source.files)}
    places = [
        tuple(round(float(v), 3) for v in heads[uid].ImagePositionPatient) for uid in image.source.sop_uids
    ]
    assert set(found) == set(places)
    return np.stack([found[place] for place in places])


@pytest.mark.parametrize("turn", TURNS)
def test_two_readers_find_the_mask_in_its_place(turn: str, tmp_path: Path, dciodvfy: Errors) -> None:
    (tmp_path / "source").mkdir()
    image = make_study(tmp_path / "source", turn)
    mask = mask_of(image)
    path = formats.write(mask, tmp_path / "out.seg.dcm", source=image)
    assert dciodvfy(path) == []
    planes, theirs = by_hand(path), hd.seg.segread(path)
    for k, label in enumerate(LABELS, start=1):
        wanted = mask.image.array[0] == label.value
        assert np.array_equal(on_planes(planes[k], image), wanted)
        pixels = theirs.get_pixels_by_source_instance(list(image.source.sop_uids), segment_numbers=[k])
        assert np.array_equal(pixels[..., 0], wanted)
    ours = formats.read(Ref((path, *image.source.files)))
    expected = sum(k * (mask.image.array == label.value) for k, label in enumerate(LABELS, start=1))
    assert np.array_equal(ours.array, expected) and np.allclose(ours.affine, image.affine, atol=1e-6)
    volume = theirs.get_volume(segment_numbers=[1])  # indexes (z, y, x) → LPS mm
    inside = np.argwhere(np.asarray(volume.array)[..., 0] != 0)
    mine = np.argwhere(mask.image.array[0] == 4)[:, ::-1]
    there = inside @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    here = mine @ image.affine[:3, :3].T + image.affine[:3, 3]
    assert len(there) == len(here)
    assert np.abs(np.sort(there.round(2), axis=0) - np.sort(here.round(2), axis=0)).max() < 0.02


def test_overlapping_labels_and_empty_planes_are_kept(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    bits = np.random.default_rng(1).random((2, *GRID)) > 0.5
    bits[:, 3:] = False
    labels = (Label(1, "liver"), Label(2, "lesion"))
    mask = Mask(image=replace(ct, array=bits), labels=labels, overlapping=True, source=ct.source, bundle="b")
    path = formats.write(mask, tmp_path / "o.dcm")
    assert dciodvfy(path) == []
    data, planes = pydicom.dcmread(path), by_hand(path)
    assert data.SegmentationType == "BINARY" and data.SegmentsOverlap == "YES"
    assert int(data.NumberOfFrames) == 2 * GRID[0]
    assert all(np.array_equal(on_planes(planes[k + 1], ct), bits[k]) for k in range(2))


def test_a_mask_of_nothing_is_written(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    empty = Mask(
        image=replace(ct, array=np.zeros((1, *GRID), np.uint8)),
        labels=LABELS[:1],
        source=ct.source,
        bundle="b",
    )
    path = formats.write(empty, tmp_path / "e.seg.dcm", source=ct)
    assert dciodvfy(path) == [] and int(pydicom.dcmread(path).NumberOfFrames) == GRID[0]


def test_it_says_what_it_is_and_whose(ct: Image, tmp_path: Path) -> None:
    data = pydicom.dcmread(formats.write(mask_of(ct), tmp_path / "x.seg.dcm"))
    source = pydicom.dcmread(ct.source.files[0])
    for name in (
        "PatientName",
        "PatientID",
        "PatientSex",
        "PatientAge",
        "StudyInstanceUID",
        "StudyDescription",
    ):
        assert data[name].value == source[name].value
    assert data.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert "research use" in data.SeriesDescription
    kidney, tumour, wedge, _ = data.SegmentSequence
    said = kidney.SegmentedPropertyTypeCodeSequence[0]
    assert (said.CodeValue, said.CodingSchemeDesignator) == ("64033007", "SCT")
    assert said.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert tumour.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Neoplasm"
    assert tumour.AnatomicRegionSequence[0].CodeMeaning == "Liver"
    assert list(tumour.RecommendedDisplayCIELabValue) == cielab("#ff0000")
    said = wedge.SegmentedPropertyTypeCodeSequence[0]
    assert (said.CodingSchemeDesignator, said.CodeMeaning) == ("99VESALIUS", "Zwickel")
    assert "no standard code" in data.CodingSchemeIdentificationSequence[0].CodingSchemeName
    algorithm = kidney.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmName == "Vesalius" and "ab" * 8 in algorithm.AlgorithmVersion
    assert tumour.SegmentDescription == "value 300 of the label map"


def test_uids_are_those_of_bundle_and_source(ct: Image, tmp_path: Path) -> None:
    def uids(mask: Mask) -> tuple[str, str]:
        data = pydicom.dcmread(formats.write(mask, tmp_path / "x.seg.dcm"))
        return data.SOPInstanceUID, data.SeriesInstanceUID

    first = uids(mask_of(ct))
    assert first == uids(mask_of(ct, seed=5)) and first[0] != first[1]
    assert set(first).isdisjoint(uids(mask_of(ct, bundle="cd" * 32)))
    nobodys = uids(mask_of(ct, bundle=""))
    assert nobodys == uids(mask_of(ct, bundle="")) != uids(mask_of(ct, bundle="", seed=5))


def test_a_series_says_what_it_was_made_of_within_64_characters(ct: Image, tmp_path: Path) -> None:
    def made(number: object, text: str | None, **words: Any) -> Dataset:
        folder = tmp_path / f"{number}"
        folder.mkdir(exist_ok=True)
        for path in ct.source.files:
            head = pydicom.dcmread(path)
            head.SeriesNumber, head.SeriesDescription = number, text
            head.SpecificCharacterSet = "ISO_IR 192"
            head.save_as(folder / path.name)
        image = formats.read(Ref(tuple(sorted(folder.iterdir()))))
        return pydicom.dcmread(formats.write(mask_of(image, **words), tmp_path / "x.seg.dcm"))

    first = made(3, "Thorax portalvenös 1,0 mm weich, Kontrastmittel oral")
    assert first.SeriesDescription == "Vesalius segmentation of 3 Thorax portalvenös… (research use)"
    assert (
        made(3, "x").SeriesNumber == first.SeriesNumber and 1_000_300_000 < first.SeriesNumber < 1_000_400_000
    )
    assert made(3, "x", bundle="cd" * 32).SeriesNumber != first.SeriesNumber
    assert made(None, None).SeriesDescription == "Vesalius segmentation of a CT (research use)"
    assert made(12, None).SeriesDescription == "Vesalius segmentation of 12 (research use)"
    head = Dataset()
    head.SeriesNumber, head.SeriesDescription = 3, "y" * 60
    for by in ("a", "b" * 30, "c" * 80):
        text = series_text("structure set", head, by=by)
        assert (
            len(text.encode()) <= 64
            and by[:8] in text
            and "of 3 yyyy" in text
            and text.endswith("(research use)")
        )


@pytest.mark.parametrize("said", ["Ö" * 60, "腹部造影検査" * 10, "Thorax, 1 mm, " * 4, "aÖ腹" * 20])
@pytest.mark.parametrize("by", ["leber", "Ägypten" * 12, "肝臓" * 20])
@pytest.mark.parametrize("part", ["", "acquisition 2", "trigger time 123.456 direction 0.1 0.2 0.3"])
def test_a_description_of_any_script_is_64_bytes_at_most(said: str, by: str, part: str) -> None:
    head = Dataset()
    head.SeriesNumber, head.SeriesDescription = 14, said
    for what in ("segmentation", "structure set", "report"):
        text = series_text(what, head, by=by, part=part)
        assert 50 < len(text.encode()) <= 64 and f" {what} of 14" in text and text[0] == by[0]
        assert text.endswith(" (research use)") and (not part or f", {part[:11]}" in text)


def test_red_is_red_in_cielab() -> None:
    lightness, a, b = cielab("#ff0000")  # L* 54.29, a* 80.81, b* 69.89 under D50 (Lindbloom's calculator)
    assert abs(lightness / 65535 * 100 - 54.29) < 0.05
    assert abs(a / 65535 * 255 - 128 - 80.81) < 0.1 and abs(b / 65535 * 255 - 128 - 69.89) < 0.1


def test_what_cannot_be_written_is_one_line(ct: Image, tmp_path: Path) -> None:
    path, mask = tmp_path / "x.seg.dcm", mask_of(ct)
    with pytest.raises(OutputError, match="study of their source.*try: answer the DICOM files"):
        formats.write(Mask(image=Image(array=mask.image.array), labels=LABELS), path)
    with pytest.raises(OutputError, match="another series"):
        formats.write(replace(mask, source=replace(ct.source, series_uid="1.2.3")), path, source=ct)
    with pytest.raises(OutputError, match="only its UIDs"):
        formats.write(replace(mask, source=replace(ct.source, files=())), path)
    with pytest.raises(OutputError, match="no label has.*300"):
        formats.write(replace(mask, labels=LABELS[:1]), path, source=ct)
    with pytest.raises(OutputError, match="cannot be read"):
        formats.write(replace(mask, source=replace(ct.source, files=(tmp_path / "gone.dcm",))), path)
    moved = np.array(ct.affine)
    moved[0, 3] += 5
    with pytest.raises(GeometryError, match="source's grid"):
        formats.write(replace(mask, image=replace(mask.image, affine=moved)), path, source=ct)
    with pytest.raises(OutputError, match="do not hold a Scores"):
        formats.write(Scores(labels=(), p=np.zeros(0)), path, source=ct)
    assert not path.exists()


def test_where_the_source_lies_is_never_written_down(ct: Image, tmp_path: Path) -> None:
    mask = mask_of(ct)
    text = formats.write(mask, tmp_path / "x.json").read_text()
    assert ct.source.series_uid in text and str(ct.source.files[0].parent) not in text
    back = formats.read_answer(tmp_path / "x.json")
    assert back.source == mask.source and back.source.files == ()


EVERY = [
    (t, name) for t in (terms.STRUCTURES, terms.ABNORMALITIES, terms.TISSUES, terms.SUBSTANCES) for name in t
]


@pytest.mark.parametrize(("table", "name"), EVERY, ids=[name for _, name in EVERY])
def test_codes_are_the_standards(table: dict[str, tuple[str, str]], name: str) -> None:
    """Against pydicom's copy of PS3.16's context groups."""
    value, meaning = table[name]
    known = [(v, m) for entries in concepts["SCT"].values() for v, (m, _) in entries.items() if v == value]
    assert known and any(meaning.lower().split()[0] in m.lower() for _, m in known)


@pytest.mark.parametrize(
    ("name", "type_", "side", "organ"),
    [
        ("Kidney (L)", "Kidney", "Left", None),
        ("kidney_right", "Kidney", "Right", None),
        ("left_atrium", "Left atrium", None, None),
        ("LUNGS", "Lung", None, None),
        ("vertebrae", "Vertebra", None, None),
        ("left-lung-nodule", "Nodule", "Left", "Lung"),
        ("tumor of the pancreas", "Neoplasm", None, "Pancreas"),
        ("Lebermetastase", "Lebermetastase", None, None),
        ("left or right", "left or right", None, None),
    ],
)
def test_names_are_understood(name: str, type_: str, side: str | None, organ: str | None) -> None:
    said = terms.terms_of(Label(1, name))
    assert said.type[2] == type_ and (said.side and said.side[2]) == side
    assert (said.organ and said.organ[2]) == organ
    assert len(said.type[0]) <= 16 and (said.type[1] == "SCT") == (type_[0].isupper() and type_ != name)


def test_a_labels_own_code_goes_before() -> None:
    own = ("T-62000", "SRT", "Liver")
    assert terms.terms_of(Label(1, "liver", code=own)).type == own


@pytest.mark.realdata
@pytest.mark.parametrize("folder", ["12-T1post-05670", "36459-FLAIRreg-76244"])
def test_a_real_series_is_found_in_its_place(
    folder: str, shared_data: Path, tmp_path: Path, dciodvfy: Errors
) -> None:
    image = formats.read(Ref(tuple(sorted((shared_data / "mr_dicom" / folder).glob("*.dcm")))))
    values = np.zeros((1, *image.shape), np.uint8)
    values[0, 3:9, 100:300:3, 50:200] = 7
    values[0, 12:, 200:310, 40:260:2] = 3
    labels = (Label(7, "hippocampus"), Label(3, "brain"))
    mask = Mask(image=replace(image, array=values), labels=labels, source=image.source, bundle="ab" * 32)
    path = formats.write(mask, tmp_path / "real.dcm", source=image)
    assert dciodvfy(path) == []
    planes = by_hand(path)
    assert all(
        np.array_equal(on_planes(planes[k + 1], image), values[0] == x.value) for k, x in enumerate(labels)
    )


def test_a_segment_has_the_colour_that_its_bundle_chose_and_without_one_that_of_before(
    ct: Image, tmp_path: Path
) -> None:
    mask = mask_of(ct)
    bare = tuple(replace(x, colour=None) for x in mask.labels)
    for name, labels, colours in (
        ("chosen", chosen(bare), [palette.colour_of(x, k) for k, x in enumerate(chosen(bare))]),
        ("before", bare, list(palette.BEFORE)),
    ):
        path = formats.write(replace(mask, labels=labels), tmp_path / f"{name}.seg.dcm")
        found = [list(s.RecommendedDisplayCIELabValue) for s in pydicom.dcmread(path).SegmentSequence]
        assert found == [cielab(colour) for colour in colours[: len(found)]]
    assert chosen(bare)[0].shown == palette.ANATOMY["64033007"]  # a kidney's, by its code
