"""Decoding every case: faults are named, labels are counted, the hash follows the content, what corrupts stops."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, GeometryError, LeakError, UnknownName
from vesalius.core.image import Image


def volumes(root: Path, count: int = 12, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    for k in range(count):
        image = rng.normal(100, 20, (7, 6, 5)).astype(np.float32)
        labels = rng.choice(np.array([0, 1, 7], np.uint8), (7, 6, 5))
        nib.save(nib.Nifti1Image(image, affine), root / "imagesTr" / f"c{k}.nii.gz")
        nib.save(nib.Nifti1Image(labels, affine), root / "labelsTr" / f"c{k}.nii.gz")
    (root / "dataset.json").write_text(
        '{"training": [], "labels": {"0": "background", "1": "liver", "2": "cyst"}}'
    )
    return root


def test_labels_that_masks_hold_are_added_to_those_that_are_named(tmp_path: Path) -> None:
    checked = cohorts.check(cohorts.read(volumes(tmp_path)))
    assert [(x.value, x.name) for x in checked.targets["mask"].labels] == [
        (1, "liver"),
        (2, "cyst"),
        (7, "7"),
    ]
    assert any("labels that no mask holds: cyst" in n for n in checked.notes)
    assert any("values that nothing names: 7" in n for n in checked.notes)


def test_the_hash_follows_content_and_not_place(tmp_path: Path) -> None:
    first = cohorts.check(cohorts.read(volumes(tmp_path / "a")))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    moved = cohorts.check(cohorts.read(tmp_path / "b"), workers=3)
    assert first.hash == moved.hash and len(first.hash) == 64
    other = nib.load(tmp_path / "b" / "labelsTr" / "c3.nii.gz")
    data = np.asarray(other.dataobj).copy()
    data[0, 0, 0] = 1 - min(int(data[0, 0, 0]), 1)
    nib.save(nib.Nifti1Image(data, other.affine), tmp_path / "b" / "labelsTr" / "c3.nii.gz")
    assert cohorts.check(cohorts.read(tmp_path / "b")).hash != first.hash


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-6] ^= 1  # in gzip's checksum, which only a reading to the end sees
    path.write_bytes(bytes(data))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def poison(path: Path) -> None:
    image = nib.load(path)
    data = np.asarray(image.dataobj).copy()
    data[0, 0, :2] = (np.nan, np.inf)
    nib.save(nib.Nifti1Image(data, image.affine), path)


def claim_too_much(path: Path) -> None:
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[42:48] = np.array([30000] * 3, "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(raw)))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (flip_a_bit, ""),
        (truncate, ""),
        (poison, "2 pixels of 'image' are NaN or infinite"),
        (claim_too_much, "claim"),
        (lambda p: p.write_bytes(b""), "0 bytes"),
    ],
)
def test_a_faulty_file_sets_its_case_aside_by_name(
    tmp_path: Path, break_it: Callable[[Path], object], words: str
) -> None:
    volumes(tmp_path)
    break_it(tmp_path / "imagesTr" / "c5.nii.gz")
    checked = cohorts.check(cohorts.read(tmp_path))
    assert [s.case for s in checked.set_aside] == ["c5"]
    assert words in checked.set_aside[0].reason
    assert len(checked.cases) == 11 and "\n" not in checked.set_aside[0].reason


def test_too_many_faults_stop_it_unless_allowed(tmp_path: Path) -> None:
    volumes(tmp_path)
    for k in range(2):
        poison(tmp_path / "imagesTr" / f"c{k}.nii.gz")
    cohort = cohorts.read(tmp_path)
    with pytest.raises(DataError, match="2 of 12 cases are set aside, more than 10%"):
        cohorts.check(cohort)
    assert len(cohorts.check(cohort, max_set_aside=0.2).cases) == 10
    assert len(cohorts.check(cohort, strict=False).cases) == 10
    for k in range(12):
        poison(tmp_path / "imagesTr" / f"c{k}.nii.gz")
    with pytest.raises(DataError, match="nothing usable is left"):
        cohorts.check(cohort, max_set_aside=0.99)


def test_a_mask_of_another_shape_stops_it(tmp_path: Path) -> None:
    volumes(tmp_path)
    nib.save(nib.Nifti1Image(np.zeros((7, 6, 4), np.uint8), np.eye(4)), tmp_path / "labelsTr" / "c2.nii.gz")
    cohort = cohorts.read(tmp_path)
    assert [(s.case, s.fatal) for s in cohort.set_aside] == [("c2", True)]
    assert "(4, 6, 7)" in cohort.set_aside[0].reason and "(5, 6, 7)" in cohort.set_aside[0].reason
    with pytest.raises(GeometryError, match="another shape than its image"):
        cohorts.check(cohort)


@pytest.mark.parametrize(("shift_mm", "stops"), [(0.2, False), (3.0, True)])
def test_a_mask_elsewhere_in_space_stops_it(tmp_path: Path, shift_mm: float, stops: bool) -> None:
    volumes(tmp_path)
    path = tmp_path / "labelsTr" / "c2.nii.gz"
    mask = nib.load(path)
    affine = mask.affine.copy()
    affine[0, 3] += shift_mm
    nib.save(nib.Nifti1Image(np.asarray(mask.dataobj), affine), path)
    cohort = cohorts.read(tmp_path)
    if stops:
        with pytest.raises(GeometryError, match="up to 3 mm apart"):
            cohorts.check(cohort)
    else:
        assert len(cohorts.check(cohort).cases) == 12


FLIP = np.array([[-1.0, 0, 0, 6], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])  # of 7 voxels along x


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a @ FLIP, "flipped along x;"),
        (lambda a: np.diag([1.0, 1, 0.5, 1]) @ a, "another spacing, 1 × 1 × 1 and 1 × 1 × 2 mm (x, y, z)"),
        (
            lambda a: np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 50], [0, 0, 0, 1.0]]) @ a,
            "moved by 50 mm",
        ),
        (lambda a: a[:, [1, 0, 2, 3]], "axes x and y swapped"),
    ],
)
def test_how_a_mask_lies_elsewhere_is_said(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    path = volumes(tmp_path) / "labelsTr" / "c2.nii.gz"
    mask = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(mask.dataobj), change(mask.affine)), path)
    with pytest.raises(GeometryError) as error:
        cohorts.check(cohorts.read(tmp_path))
    assert words in str(error.value) and "another geometry than its image" in str(error.value)


def test_a_field_of_view_elsewhere_stops_it() -> None:
    moved = np.eye(4)
    moved[2, 3] = 50
    image, region = (
        Image(np.ones((1, 4, 5, 6)), affine=np.eye(4)),
        Image(np.ones((1, 4, 5, 6), np.uint8), affine=moved),
    )
    held = Cohort(root=Path("x"), layout="plain", cases=(Case("a", {"image": image}, region=region),))
    (fault,) = cohorts.check(held, strict=False).set_aside
    assert fault.fatal and "the field of view has another geometry" in fault.reason


def classes(root: Path, names: tuple[str, ...], count: int = 6) -> Cohort:
    rng = np.random.default_rng(3)
    for name in names:
        (root / name).mkdir()
        for k in range(count):
            Picture.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(
                root / name / f"{name}{k}.png"
            )
    return cohorts.read(root)


def test_one_class_only_and_masks_of_background_are_nothing_to_learn(tmp_path: Path) -> None:
    cohort = classes(tmp_path, ("a", "b"))
    alone = replace(cohort, cases=tuple(c for c in cohort.cases if c.targets["class"] == "a"))
    with pytest.raises(DataError, match="one class only, 'a', in all 6 cases"):
        cohorts.check(alone)
    assert len(cohorts.check(alone, strict=False).cases) == 6
    (tmp_path / "v").mkdir()
    volumes(tmp_path / "v")
    (tmp_path / "v" / "dataset.json").write_text('{"training": [], "labels": {}}')
    for path in (tmp_path / "v" / "labelsTr").iterdir():
        nib.save(nib.Nifti1Image(np.zeros((7, 6, 5), np.uint8), np.diag([1.0, 1.0, 2.0, 1.0])), path)
    with pytest.raises(DataError, match="only the background"):
        cohorts.check(cohorts.read(tmp_path / "v"))


def test_a_patient_in_two_splits_stops_it(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        classes(tmp_path / split, ("a", "b"))
    for split, name in (("train", "a0"), ("test", "a0")):
        path = tmp_path / split / "a" / f"{name}.png"
        path.rename(path.with_name(f"same_{split}.png"))
    cohort = cohorts.read(tmp_path, columns={"patient": r"re:(same|.*)"})
    leaking = [s for s in cohort.set_aside if s.fatal]
    assert {s.case for s in leaking} == {"same_train", "same_test"}
    with pytest.raises(LeakError, match="patient 'same' stands in more than one split"):
        cohorts.check(cohort)


def test_a_split_file_wins_and_its_names_are_checked(tmp_path: Path) -> None:
    cohort = classes(tmp_path / "d" if (tmp_path / "d").mkdir() else tmp_path / "d", ("a", "b"))
    path = tmp_path / "split.csv"
    rows = [f"{c.id},{'test' if k % 3 == 0 else 'train'}" for k, c in enumerate(cohort.cases)]
    path.write_text("case,split\n" + "\n".join(rows) + "\n")
    assignment = cohorts.assign(cohorts.read(tmp_path / "d", split=path), target="class", folds=2)
    assert set(assignment.test) == {c.id for c in cohort.cases[::3]} and "split.csv" in assignment.by
    path.write_text("case,split\na00,test\n")
    with pytest.raises(UnknownName, match="closest: a0"):
        cohorts.read(tmp_path / "d", split=path)
    path.write_text("case,split\na0,tset\n")
    with pytest.raises(DataError, match="train, val or test"):
        cohorts.read(tmp_path / "d", split=path)
    path.write_text("name,part\na0,test\n")
    with pytest.raises(DataError, match="columns name, part"):
        cohorts.read(tmp_path / "d", split=path)
    path.write_text("case,split\na0,test\na0,train\n")
    with pytest.raises(LeakError):
        cohorts.read(tmp_path / "d", split=path)


def test_each_case_is_shown_once_and_only_one_is_held(tmp_path: Path) -> None:
    seen: list[str] = []
    cohort = cohorts.read(volumes(tmp_path))

    def observe(decoded: cohorts.Decoded) -> None:
        seen.append(decoded.case.id)
        assert decoded.images["image"].shape == decoded.masks["mask"].shape == (5, 6, 7)
        assert sum(decoded.values["mask"].values()) == 210

    cohorts.check(cohort, observe=observe, workers=2)
    assert seen == [c.id for c in cohort.cases]


def test_patients_in_two_splits_are_said_before_any_share_that_may_be_set_aside(tmp_path: Path) -> None:
    """A higher --max-set-aside would not mend it, so it is not what is proposed."""
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        classes(tmp_path / split, ("a", "b"))
    with pytest.raises(LeakError, match="stands in more than one split") as caught:
        cohorts.read(tmp_path, columns={"patient": r"re:([ab]\d+)"})
    assert "max-set-aside" not in str(caught.value)
