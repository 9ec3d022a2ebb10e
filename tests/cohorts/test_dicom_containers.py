"""DICOM in zips, in DICOMDIRs, in nested trees, without preamble or suffix; localisers do not count as faults."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.fileset import FileSet

from vesalius import cohorts, formats
from vesalius.core.errors import DataError

Writer = Callable[..., list[Path]]


def test_a_zip_of_a_study_reads_as_the_tree_does(tmp_path: Path, write_series: Writer) -> None:
    tree = tmp_path / "tree"
    write_series(tree / "p" / "a", patient="P", series="1.2.3.1", slices=4)
    write_series(tree / "p" / "b", patient="P", series="1.2.3.2", slices=3, suffix="", seed=1)
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for each in sorted(tree.rglob("IM*")):
            file.write(each, each.relative_to(tree))
    plain, zipped = cohorts.check(cohorts.read(tree)), cohorts.check(cohorts.read(path))
    assert zipped.layout == "dicomtree" and len(zipped.cases) == 2 and not zipped.set_aside
    for one, other in zip(plain.cases, zipped.cases, strict=True):
        pair = formats.read(one.images["image"]), formats.read(other.images["image"])  # type: ignore[arg-type]
        assert np.array_equal(pair[0].array, pair[1].array) and (one.id, one.patient) == (
            other.id,
            other.patient,
        )
    both = cohorts.read(tmp_path, layout="dicomtree")  # the zip in the tree is looked into
    assert len(both.cases) == 2 and "7 localisers and copies" in " ".join(both.notes)
    only = tmp_path / "only"
    only.mkdir()
    path.rename(only / "study.zip")
    assert len(cohorts.read(only).cases) == 2


def test_files_without_preamble_or_suffix_are_found(tmp_path: Path, write_series: Writer) -> None:
    for path in write_series(tmp_path / "deep" / "er", patient="P", series="1.2.3.1", slices=3, suffix=""):
        raw = path.read_bytes()
        path.write_bytes(raw[raw.index(b"\x08\x00\x16\x00") :])
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "dicomtree" and formats.read(cohort.cases[0].images["image"]).shape == (3, 8, 8)  # type: ignore[arg-type]


def test_localisers_are_noted_and_do_not_stop_anything(tmp_path: Path, write_series: Writer) -> None:
    write_series(tmp_path / "a", patient="P", series="1.2.3.1", slices=4)
    for path in write_series(tmp_path / "scout", patient="P", series="1.2.3.2", slices=3):
        data = pydicom.dcmread(path)
        data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        data.save_as(path)
    cohort = cohorts.read(tmp_path)
    assert len(cohort.cases) == 1 and not cohort.set_aside
    assert sum("a localiser" in note for note in cohort.notes) == 3


def directory(root: Path, files: list[Path]) -> Path:
    """A DICOMDIR of those files, as pydicom writes one."""
    made = FileSet()
    for path in files:
        data = pydicom.dcmread(path)
        data.StudyDate, data.StudyTime, data.StudyID, data.PatientName = "20260101", "120000", "1", "P"
        data.SeriesNumber = int(data.SeriesInstanceUID[-1])
        made.add(data)
    made.write(root)
    return root / "DICOMDIR"


def test_a_series_of_which_files_are_missing_is_not_read_short(tmp_path: Path, write_series: Writer) -> None:
    files = write_series(tmp_path / "in" / "a", patient="P", series="1.2.3.1", slices=4)
    files += write_series(tmp_path / "in" / "b", patient="P", series="1.2.3.2", slices=3, seed=1)
    path = directory(tmp_path / "disc", files)
    whole = cohorts.read(path)
    assert [len(c.images["image"].paths) for c in whole.cases] == [4, 3] and not whole.set_aside  # type: ignore[union-attr]
    last = max(whole.cases[0].images["image"].paths, key=lambda p: pydicom.dcmread(p).ImagePositionPatient[2])  # type: ignore[union-attr]
    last.unlink()  # without it the others are an even volume
    cohort = cohorts.read(path, max_set_aside=1.0)
    assert [c.id for c in cohort.cases] == [whole.cases[1].id]
    said = "a series is incomplete: one of its files is listed in DICOMDIR and not there; "
    said += "try: copy all of it; or take DICOMDIR away where it is out of date (4 files)"
    place = last.relative_to(path.parent).as_posix()
    assert [(s.case, s.reason) for s in cohort.set_aside] == [(place, said)]
    folder = cohorts.read(
        path.parent, max_set_aside=1.0
    )  # the listing counts for the folder that it lies in, too
    above = cohorts.read(tmp_path, layout="dicomtree")  # where the missing slice is, too
    assert folder.set_aside == cohort.set_aside and [c.id for c in folder.cases] == [whole.cases[1].id]
    assert not above.set_aside and {len(c.images["image"].paths) for c in above.cases} == {4, 3}  # type: ignore[union-attr]
    zipped = tmp_path / "disc.zip"
    with zipfile.ZipFile(zipped, "w") as file:
        for each in path.parent.rglob("*"):
            file.write(each, each.relative_to(path.parent))
    assert [s.reason for s in cohorts.read(zipped, max_set_aside=1.0).set_aside] == [said]
    for other in whole.cases[1].images["image"].paths:  # type: ignore[union-attr]
        other.unlink()
    gone = cohorts.read(path, max_set_aside=1.0).set_aside
    assert "3 of its files are listed in DICOMDIR and not there" in gone[1].reason and len(gone) == 2


def test_what_is_set_aside_is_named_by_where_it_lies(tmp_path: Path, write_series: Writer) -> None:
    for k, path in enumerate(write_series(tmp_path / "p" / "mr", patient="P", series="1.2.3.1", slices=7)):
        data = pydicom.dcmread(path)
        data.EchoTime, data.ImagePositionPatient[2] = (
            (2.5, 80)[k // 4],
            3 * (k % 4),
        )  # the second echo lacks one
        data.save_as(path)
    write_series(tmp_path / "q", patient="Q", series="1.2.3.2", slices=3)
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert [s.case for s in cohort.set_aside] == ["p/mr/IM005"] and len(cohort.cases) == 2
    assert cohort.set_aside[0].reason.startswith(
        "slices of 'echo time 80' are missing; found none at 1 places"
    )


def test_files_that_were_moved_are_not_missing(tmp_path: Path, write_series: Writer) -> None:
    files = write_series(tmp_path / "in" / "a", patient="P", series="1.2.3.1", slices=4)
    path = directory(tmp_path / "disc", files)
    moved = tmp_path / "disc" / "sorted" / "here"
    moved.mkdir(parents=True)
    listed = cohorts.read(path).cases[0].images["image"].paths  # type: ignore[union-attr]
    for k, each in enumerate(listed):
        each.rename(moved / f"{k}.dcm")
    cohort = cohorts.read(tmp_path / "disc")
    assert len(cohort.cases) == 1 and not cohort.set_aside
    (moved / "0.dcm").unlink()
    short = cohorts.read(tmp_path / "disc", max_set_aside=1.0)
    assert (
        not short.cases
        and "one of its files is listed in DICOMDIR and not there" in short.set_aside[0].reason
    )


def test_a_series_of_two_patients_is_set_aside_as_one(tmp_path: Path, write_series: Writer) -> None:
    write_series(tmp_path / "a", patient="P", series="1.2.3.1", slices=4)
    write_series(tmp_path / "b", patient="Q", series="1.2.3.1", slices=5)
    write_series(tmp_path / "c", patient="P", series="1.2.3.2", slices=5)
    for folder, series in (("d", "1.2.3.3"), ("e", "1.2.3.4")):  # of the same file names
        second = write_series(tmp_path / folder, patient="P", series=series, slices=3)[0]
        data = pydicom.dcmread(second)
        del data.ImagePositionPatient
        data.save_as(second)
    cohort = cohorts.read(tmp_path, max_set_aside=0.75)
    assert len(cohort.cases) == 1 and [s.case for s in cohort.set_aside] == ["a/IM001", "d/IM001", "e/IM001"]
    said = cohort.set_aside[0].reason
    assert said == "the images of this series are of several patients; found 2 patient ids (9 files)"
    with pytest.raises(DataError, match="3 of 4 cases are set aside"):
        cohorts.read(tmp_path)


def test_a_damaged_dicomdir_is_one_typed_error_or_read(tmp_path: Path, write_series: Writer) -> None:
    path = directory(
        tmp_path / "disc", write_series(tmp_path / "in", patient="P", series="1.2.3.1", slices=3)
    )
    good, generator, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(150):
        bad = bytearray(good)
        for at in generator.integers(360, len(good), 2):
            bad[at] = generator.integers(256)
        path.write_bytes(bad)
        try:
            cohorts.read(path, layout="dicomtree", max_set_aside=1.0)
        except DataError:
            refused += 1
    assert 0 < refused < 150


@pytest.mark.realdata
def test_dicomdirs_lead_to_their_files(shared_data: Path) -> None:
    folder = next((shared_data / "dicom_zoo").rglob("dicomdirtests"))
    whole = cohorts.read(folder / "DICOMDIR", max_set_aside=1.0)
    files = [p for c in whole.cases for p in c.images["image"].paths]  # type: ignore[union-attr]
    assert whole.layout == "dicomtree" and len(files) == 29 and len(whole.cases) >= 5
    assert sum("a localiser" in note for note in whole.notes) == 2
    assert {c.patient for c in whole.cases} == {"77654033", "98890234"}
    for other in ("DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-reordered"):
        again = cohorts.read(folder / other, max_set_aside=1.0)
        assert sorted(c.id for c in again.cases) == sorted(c.id for c in whole.cases), other
    with pytest.raises(DataError):
        cohorts.read(folder / "TINY_ALPHA" / "DICOMDIR")


@pytest.mark.realdata
def test_a_real_zip_is_looked_into(shared_data: Path) -> None:
    path = next((shared_data / "dicom_zoo").rglob("GREYSCALE_CINE.zip"))
    cohort = cohorts.read(path, max_set_aside=1.0, layout="dicomtree")
    assert len(cohort.cases) == 1
