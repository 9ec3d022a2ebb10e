"""A run as a whole: consistent UIDs, kept intervals, safe places, resuming, options in DICOM, and what is set aside."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from _planted import ct, save
from pydicom.dataset import Dataset

from vesalius import deidentify
from vesalius.core.errors import DataError, Interrupted, OutputError, UnknownName, VesaliusError
from vesalius.deidentify import run
from vesalius.deidentify._text import Cleaner
from vesalius.deidentify._values import age, shifted
from vesalius.deidentify.dicom import clean
from vesalius.deidentify.key import Key
from vesalius.deidentify.options import PROFILES, settings


def tree(root: Path, *, patients: int = 2, slices: int = 2) -> Path:
    for p in range(patients):
        for n in range(slices):
            data = ct(patient=f"P{p}-12345", number=10 * p + n)
            data.StudyDate, data.SeriesDate = "20240305", f"202403{10 + n}"
            data.AcquisitionDateTime = f"202403{10 + n}101112.5+0100"
            reference = Dataset()
            reference.ReferencedSOPClassUID = data.SOPClassUID
            reference.ReferencedSOPInstanceUID = ct(number=10 * p).SOPInstanceUID
            data.ReferencedInstanceSequence = [reference]
            save(data, root / f"{p}" / f"{n}.dcm")
    return root


def read(out: Path) -> list[Any]:
    return [pydicom.dcmread(p) for p in sorted(out.rglob("*.dcm"))]


def test_uids_are_the_same_across_files_and_runs_by_the_key_and_others_with_another(tmp_path: Path) -> None:
    source = tree(tmp_path / "in")
    first = deidentify(source, tmp_path / "a", key=tmp_path / "key")
    again = deidentify(source, tmp_path / "b", key=tmp_path / "key")
    other = deidentify(source, tmp_path / "c")
    assert first.new_key and not again.new_key and other.new_key
    one, two, three = ({p.relative_to(m.out) for p in m.out.rglob("*.dcm")} for m in (first, again, other))
    assert one == two and not one & three and len(one) == 4
    a, b, c = (read(m.out) for m in (first, again, other))
    assert [d.SOPInstanceUID for d in a] == [d.SOPInstanceUID for d in b]
    assert not {d.SOPInstanceUID for d in a} & {d.SOPInstanceUID for d in c}
    assert len({d.StudyInstanceUID for d in a}) == 1 and all(
        d.StudyInstanceUID.startswith("2.25.") for d in a
    )
    instances = {d.SOPInstanceUID for d in a}
    assert {d.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID for d in a} < instances
    assert all(d.SOPClassUID == ct().SOPClassUID for d in a)
    for written in first.out.rglob("*.dcm"):  # the bytes, too
        assert written.read_bytes() == (again.out / written.relative_to(first.out)).read_bytes()


def test_the_key_is_its_owners_alone_and_lies_outside(tmp_path: Path) -> None:
    made = deidentify(tree(tmp_path / "in"), tmp_path / "out")
    assert made.key == tmp_path / "out.key" and stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.names.stat().st_mode) == 0o600 and made.names.parent == tmp_path
    secret = made.key.read_text().strip()
    assert len(secret) == 64
    assert all(secret.encode() not in p.read_bytes() for p in made.out.rglob("*") if p.is_file())
    assert "P0-12345" not in repr(made) and secret not in repr(Key(bytes.fromhex(secret)))


def test_dates_move_together_and_intervals_stay(tmp_path: Path) -> None:
    made = deidentify(tree(tmp_path / "in"), tmp_path / "out", options=["shift-dates"])
    days: dict[str, set[int]] = {}
    for data in read(made.out):
        gone = np.datetime64(_iso(data.StudyDate)) - np.datetime64("2024-03-05")
        days.setdefault(data.PatientID, set()).add(int(gone.astype(int)))
        assert str(data.AcquisitionDateTime)[8:] == "101112.5+0100" and data.StudyTime == "101112"
        between = np.datetime64(_iso(data.SeriesDate)) - np.datetime64(_iso(data.StudyDate))
        assert int(between.astype(int)) in (5, 6)
        assert data.LongitudinalTemporalInformationModified == "MODIFIED"
        assert data.PatientBirthDate == ""
    assert len(days) == 2 and all(len(d) == 1 and -3650 <= min(d) <= -1 for d in days.values())
    assert len(set().union(*days.values())) == 2


def _iso(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:8]}"


def test_shifting_values() -> None:
    assert shifted("20240301", -1) == "20240229" and shifted("20240229120000.1", 366) == "20250301120000.1"
    assert (
        shifted("1999.12.31", 1) == "20000101"
        and shifted("202403", -1) is None
        and shifted("20241341", 1) is None
    )
    assert shifted("20240301KOWALSKI", -1) is None and age("Kowalski") == ""
    assert age("092Y") == "090Y" and age("089Y") == "089Y" and age("003M") == "003M"


def options(data: Dataset, *names: str) -> Any:
    clean(data, key=Key(bytes(32)), settings=settings("basic", names))
    return data


def test_options_keep_what_they_name() -> None:
    def full() -> Dataset:
        data = ct()
        data.PatientAge, data.PatientWeight, data.StationName = "093Y", "71", "CT-7"
        data.InstitutionName, data.SeriesDescription = "St. Elsewhere", "CT ABDOMEN of Jane Doe 5.0 mm"
        data.DeviceSerialNumber = "990001234"
        data.TimezoneOffsetFromUTC = "+0100"
        return data

    data = options(full(), "retain-patient-characteristics")
    assert (data.PatientAge, data.PatientWeight, data.PatientSex) == (
        "090Y",
        71,
        "F",
    ) and "StationName" not in data
    data = options(full(), "retain-device")
    assert (data.StationName, data.DeviceSerialNumber) == (
        "CT-7",
        "990001234",
    ) and "InstitutionName" not in data
    assert options(full(), "retain-institution").InstitutionName == "St. Elsewhere"
    assert options(full(), "retain-uids").SOPInstanceUID == ct().SOPInstanceUID
    data = options(full(), "keep-dates")
    assert data.StudyDate == "20240305" and data.LongitudinalTemporalInformationModified == "UNMODIFIED"
    assert options(full(), "shift-dates").TimezoneOffsetFromUTC == "+0100"
    data = options(full(), "clean-descriptors")
    assert data.SeriesDescription == "CT ABDOMEN of 5.0 mm"
    assert [c.CodeValue for c in data.DeidentificationMethodCodeSequence] == ["113100", "113105"]
    basic = options(full())
    assert not {"PatientAge", "StationName", "InstitutionName", "SeriesDescription"} & {
        e.keyword for e in basic
    }
    assert not basic.StudyDate and not basic.PatientSex
    assert basic.PatientName == basic.PatientID != "MRN-774411"


def test_what_its_attribute_cannot_mean_goes_even_where_an_option_keeps_the_attribute() -> None:
    """Names in dates, times, ages, offsets, code strings and UIDs: pydicom reads them, viewers show them."""
    import pydicom

    names = {"StudyDate": "KOWALSKI", "StudyTime": "Kowalski", "SeriesDate": "20240305KOWALSKI", "PatientAge": "Jan",
             "TimezoneOffsetFromUTC": "Kowalski", "AcquisitionDateTime": "Kowalski", "DeviceUID": "1.2.Kowalski",
             "FrameOfReferenceUID": "1.2.840.10008.774411", "BodyPartExamined": "KOWALSKI-ŻAK"}  # fmt: skip
    data = ct()
    with pydicom.config.disable_value_validation():
        for keyword, text in names.items():
            data.add_new(
                pydicom.datadict.tag_for_keyword(keyword), pydicom.datadict.dictionary_VR(keyword), text
            )
        kept = options(data, "keep-dates", "retain-device", "retain-patient-characteristics")
    left = str(kept).lower()
    assert not [t for t in ("kowalski", "żak", "jan", "774411") if t in left.replace("january", "")]


def test_safe_private_attributes_stay_and_no_others() -> None:
    data = ct()
    block = data.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x08, "LO", "Doe^Jane was here")
    data.private_block(0x0021, "ACME", create=True).add_new(0x0C, "IS", "1000")
    kept = options(data, "retain-safe-private")
    private = {f"{e.tag:08X}" for e in kept if e.tag.is_private}
    assert private == {"00190010", "0019100C"}
    words = ct()
    words.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "LO", "Kowalski")
    assert not [e for e in options(words, "retain-safe-private") if e.tag.is_private]


def item(kind: str, code: str, **value: Any) -> Dataset:
    made, concept = Dataset(), Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = code, "DCM", "a name"
    made.RelationshipType, made.ValueType, made.ConceptNameCodeSequence = "CONTAINS", kind, [concept]
    for keyword, text in value.items():
        setattr(made, keyword, text)
    return made


def report() -> Dataset:
    data = ct(sop_class="1.2.840.10008.5.1.4.1.1.88.33")
    data.ContentSequence = [
        item("TEXT", "121071", TextValue="nodule in the left lung of Jane Doe, called 030 1234567"),
        item("PNAME", "121008", PersonName="Reader^Rita"),
        item("TEXT", "121022", TextValue="ACC998877"),
        item("UIDREF", "110180", UID="1.2.3.4.5"),
        item("DATE", "121125", Date="20240306"),
        item("NUM", "121206", NumericValue="3"),
    ]
    return data


def test_structured_content_is_judged_item_by_item() -> None:
    text, name, uid, date, number = options(
        report(), "clean-structured-content", "clean-descriptors", "shift-dates"
    ).ContentSequence
    assert text.TextValue == "nodule in the left lung of called" and name.PersonName == "REMOVED"
    assert (
        uid.UID.startswith("2.25.") and date.Date not in ("20240306", "19000101") and number.NumericValue == 3
    )
    (only,) = options(report()).ContentSequence
    assert only.TextValue == "REMOVED" and only.ValueType == "TEXT"


def test_overlays_without_text_may_stay(tesseract: str) -> None:
    data = ct()
    data.add_new((0x6000, 0x0010), "US", 8)
    data.add_new((0x6000, 0x0011), "US", 8)
    data.add_new((0x6000, 0x0100), "US", 1)
    data.add_new((0x6000, 0x0102), "US", 0)
    data.add_new((0x6000, 0x3000), "OW", bytes([0, 0, 60, 36, 36, 60, 0, 0]))
    assert (0x6000, 0x3000) in options(data, "clean-graphics")
    assert (0x6000, 0x3000) not in options(data)


def test_overlays_in_spare_bits_of_pixels_go() -> None:
    data = ct()
    pixels = np.arange(64, dtype="<u2")
    data.PixelData = (pixels | 0x8000).tobytes()
    data.add_new((0x6000, 0x0102), "US", 15)
    assert np.array_equal(np.frombuffer(options(data).PixelData, "<u2"), pixels)


def test_versions_stay_and_the_patients_words_go() -> None:
    data = ct()
    data.SoftwareVersions, data.ManufacturerModelName, data.BodyPartExamined = (
        ["syngo 4.10.2", "VA12345"],
        "X 128000",
        "DOE",
    )
    data = options(data)
    assert (
        list(data.SoftwareVersions) == ["syngo 4.10.2", "VA12345"]
        and data.ManufacturerModelName == "X 128000"
    )
    assert data.BodyPartExamined == "REMOVED" and data.Modality == "CT"


def test_text_keeps_what_is_no_ones() -> None:
    assert Cleaner().scrub("version 1.10.0 and 11.2") == "version 1.10.0 and 11.2"
    cleaner = Cleaner(["Doe^Jane", "MRN-774411"])
    assert cleaner.scrub("T2 axial 5.0 mm TR 2500") == "T2 axial 5.0 mm TR 2500"
    assert "jane" not in cleaner.scrub("seen by JANE DÓE on 03/05/2024, ask Dr. Smith, a@b.org").lower()
    for gone in ("DÓE", "2024", "Smith", "a@b"):
        assert gone not in cleaner.scrub("seen by JANE DÓE on 03/05/2024, ask Dr. Smith, a@b.org")
    assert cleaner.clean("MR BRAIN w/o contrast, Kowalski 12345") == "MR BRAIN w/o contrast"


def test_originals_and_outputs_are_safe(tmp_path: Path) -> None:
    source = tree(tmp_path / "in")
    deidentify(source, tmp_path / "out")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        deidentify(source, tmp_path / "out")
    for inside in (source / "out", source, tmp_path):
        with pytest.raises(OutputError, match="lies within|nothing is overwritten"):
            deidentify(source, inside)
    with pytest.raises(DataError, match="outside"):
        deidentify(source, tmp_path / "new", key=tmp_path / "new" / "key")
    (tmp_path / "bad.key").write_text("nonsense")
    with pytest.raises(DataError, match="not a key"):
        deidentify(source, tmp_path / "new", key=tmp_path / "bad.key")
    with pytest.raises(UnknownName, match="retain-uids"):
        deidentify(source, tmp_path / "new", options=["retain-uid"])
    with pytest.raises(UnknownName, match="basic"):
        deidentify(source, tmp_path / "new", profile="basics")
    with pytest.raises(DataError, match="both kept and shifted"):
        deidentify(source, tmp_path / "new", options=["keep-dates", "shift-dates"])
    assert not (tmp_path / "new").exists()
    assert set(PROFILES) == {"basic", "research"}


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tree(tmp_path / "in")
    whole, calls = run._one, Counter[str]()

    def dies(*args: Any) -> Any:
        calls["n"] += 1
        if calls["n"] == 3:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(run, "_one", dies)
    with pytest.raises(Interrupted, match="2 files are written, each whole"):
        deidentify(source, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "deidentify.json").read_text())["complete"] is False
    with pytest.raises(OutputError, match="--resume"):
        deidentify(source, tmp_path / "out")
    with pytest.raises(OutputError, match="other arguments"):
        deidentify(source, tmp_path / "out", profile="research", resume=True)
    with (tmp_path / "out.out.names.jsonl").open("a") as file:
        file.write('{"source": "half wri')
    (tmp_path / "out" / ".0a1b2c3d.tmp.x.dcm").write_bytes(b"half")
    made = deidentify(source, tmp_path / "out", resume=True)
    assert calls["n"] == 5 and made.done == 4  # two before, one that died, and two more
    whole_run = deidentify(source, tmp_path / "whole", key=made.key)
    one, two = (json.loads((o.out / "deidentify.json").read_text()) for o in (made, whole_run))
    assert one == two
    assert not [p for p in tmp_path.rglob("*") if ".tmp" in p.name]


def test_what_cannot_be_written_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tree(tmp_path / "in", patients=1, slices=1)

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    made = deidentify(source, tmp_path / "fine")
    monkeypatch.setattr("vesalius.core.disk.os.fsync", full)
    with pytest.raises(VesaliusError, match="no space left"):
        deidentify(source, tmp_path / "out", key=made.key)
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_two_files_of_one_instance_are_both_kept(tmp_path: Path) -> None:
    for name in "ab":
        save(ct(), tmp_path / "in" / f"{name}.dcm")
    assert deidentify(tmp_path / "in", tmp_path / "out").done == 2
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 2


def test_damaged_files_are_set_aside_and_never_crash(tmp_path: Path) -> None:
    """300 mutations of a DICOM file, a NIfTI file and a picture: each is copied or set aside for a stated reason."""
    import io

    import nibabel
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(buffer, "TIFF", description="planted")
    whole = {
        ".dcm": save(ct(), tmp_path / "a.dcm").read_bytes(),
        ".nii": nibabel.Nifti1Image(np.zeros((3, 3, 3), np.int16), np.eye(4)).to_bytes(),
        ".tif": buffer.getvalue(),
    }
    chance = np.random.default_rng(0)
    source = tmp_path / "in"
    source.mkdir()
    for n in range(300):
        suffix = list(whole)[n % 3]
        data = bytearray(whole[suffix])
        for at in chance.integers(0, len(data), 3):
            data[at] = int(chance.integers(0, 256))
        (source / f"{n}{suffix}").write_bytes(
            bytes(data[: int(chance.integers(1, len(data) + 1))] if n % 5 == 0 else data)
        )
    made = deidentify(source, tmp_path / "out")
    assert made.done + len(made.set_aside) == 300 and made.done > 50 and len(made.set_aside) > 50


def test_a_number_of_the_patient_s_goes_from_numbers_too(tmp_path: Path) -> None:
    data = ct()
    data.PatientID, data.SeriesNumber, data.AcquisitionNumber, data.KVP = (
        "90817263",
        90817263,
        90817263,
        "90817263",
    )
    data.WindowCenter, data.InstanceNumber = ["40", "90817263.0"], 7
    (tmp_path / "in").mkdir()
    save(data, tmp_path / "in" / "a.dcm")
    (tmp_path / "in" / "a.bval").write_text("0 1000 44051401359\n")
    made = deidentify(tmp_path / "in", tmp_path / "out", profile="research")
    (copy,) = made.out.rglob("*.dcm")
    after = pydicom.dcmread(copy)
    assert b"90817263" not in copy.read_bytes()
    assert (after.SeriesNumber, after.KVP, after.InstanceNumber) == (0, 0, 7)
    assert list(after.WindowCenter) == [40, 0]
    assert [reason for _, reason in made.set_aside] == ["not a table of gradients"]


def test_a_key_belongs_to_one_run_and_not_into_what_is_shared(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save(ct(), tmp_path / "in" / "a.dcm")
    deidentify(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match="a key in it would undo it"):
        deidentify(tmp_path / "in", tmp_path / "more", key=tmp_path / "out" / "k")
    assert not (tmp_path / "out" / "k").exists() and not (tmp_path / "more").exists()
    report = tmp_path / "out" / "deidentify.json"
    report.write_text(report.read_text().replace('"complete": true', '"complete": false'))
    with pytest.raises(OutputError, match="started with another key"):
        deidentify(tmp_path / "in", tmp_path / "out", key=tmp_path / "other", resume=True)
    assert not (tmp_path / "other").exists()
