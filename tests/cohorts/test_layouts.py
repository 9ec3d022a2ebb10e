"""Each layout, read from small data written on the spot: what is detected, paired, named and set aside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import polars as pl
import pytest
from PIL import Image as Picture

from vesalius import cohorts, formats
from vesalius.cohorts._files import walk
from vesalius.core.case import Case, Event, Ref
from vesalius.core.errors import DataError, FormatError, UnknownName

RNG = np.random.default_rng(7)


def photo(path: Path, *, colour: bool = False, size: tuple[int, int] = (12, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size, 3) if colour else size
    Picture.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return path


def mask(path: Path, *, size: tuple[int, int] = (12, 10), values: tuple[int, ...] = (0, 255)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(RNG.choice(np.array(values, np.uint8), size)).save(path)
    return path


def volume(path: Path, *, shape: tuple[int, ...] = (5, 6, 7), labels: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = RNG.integers(0, 3 if labels else 1000, shape).astype(np.uint8 if labels else np.int16)
    nib.save(nib.Nifti1Image(array, np.diag([1.0, 1.0, 2.0, 1.0])), path)
    return path


def test_class_folders_are_classes_and_names_with_brackets_are_cases(tmp_path: Path) -> None:
    for name in ("benign", "malignant tumour"):
        for k in range(3):
            photo(tmp_path / name / f"{name} ({k}).png")
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "folder"
    assert [x.name for x in cohort.targets["class"].labels] == ["benign", "malignant tumour"]
    assert cohort.case("malignant tumour (2)").targets == {"class": "malignant tumour"}
    assert not cohort.patients_known


def test_class_folders_below_splits_keep_the_split_and_make_names_unique(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for name in ("0", "1"):
            photo(tmp_path / "wrapped" / split / name / "deeper" / "1.png")
            photo(tmp_path / "wrapped" / split / name / "2.png")
    cohort = cohorts.read(tmp_path)
    assert len({c.id for c in cohort.cases}) == 12
    assert {c.split for c in cohort.cases} == {"train", "val", "test"}
    assert [x.value for x in cohort.targets["class"].labels] == [0, 1]


def test_a_target_of_data_without_any_is_told_what_would_make_one(tmp_path: Path) -> None:
    for k in range(4):
        photo(tmp_path / f"{k}.png")
    with pytest.raises(DataError, match="nothing to learn .* images without classes.*; try: class folders"):
        cohorts.select_target(cohorts.read(tmp_path), "bogus")


def test_masks_beside_images_in_class_folders_are_a_second_target(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for k in range(4):
            photo(tmp_path / name / f"{k}.png")
            mask(tmp_path / name / f"{k}_mask.png")
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "folder" and len(cohort.cases) == 8
    assert set(cohort.targets) == {"class", "mask"}
    with pytest.raises(DataError, match="--target class or --target mask"):
        cohorts.select_target(cohort)
    assert cohorts.select_target(cohort, "mask").kind == "mask"
    with pytest.raises(UnknownName, match="closest: mask"):
        cohorts.select_target(cohort, "masks")


@pytest.mark.parametrize("pictures", [1, 9])
def test_folders_of_patients_are_no_classes(
    tmp_path: Path, pictures: int, write_series: Callable[..., list[Path]]
) -> None:
    """As deidentify leaves them: DICOM and pictures."""
    for n, name in enumerate(("patient-0a1b2c3d4e5f", "patient-ffeeddccbbaa", "patient-123456789012")):
        write_series(tmp_path / name / "x", patient=f"P{n}", series=f"1.2.3.{n}", slices=4, seed=n)
        for k in range(pictures):
            photo(tmp_path / name / f"{k}.png")
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == ("dicomtree" if pictures == 1 else "plain") and not cohort.targets
    assert len(cohort.cases) == 3 + 3 * pictures
    assert {c.patient for c in cohort.cases} == {"P0", "P1", "P2", None}


def test_a_dicom_tree_is_no_class_folder_whatever_comes_first(
    tmp_path: Path, write_series: Callable[..., list[Path]]
) -> None:
    photo(tmp_path / "anna" / "0.png")
    for n, name in enumerate(("anna", "berta")):
        write_series(tmp_path / name / "x", patient=name, series=f"1.2.3.{n}", slices=4)
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "dicomtree" and not cohort.targets and len(cohort.cases) == 3


def test_folders_of_patients_with_masks_beside_name_the_patients(tmp_path: Path) -> None:
    for n in range(4):
        for k in range(2):
            photo(tmp_path / f"sub-{n:02d}" / f"{k}.png")
            mask(tmp_path / f"sub-{n:02d}" / f"{k}_mask.png")
    cohort = cohorts.read(tmp_path, layout="folder")
    assert set(cohort.targets) == {"mask"} and cohort.patients_known
    assert {c.patient for c in cohort.cases} == {"sub-00", "sub-01", "sub-02", "sub-03"}


@pytest.mark.parametrize(
    ("shape", "folder"), [((9, 8, 8), False), ((9, 6, 6, 6), False), ((9, 8, 8, 3), True)]
)
def test_medmnist_keeps_its_official_split(tmp_path: Path, shape: tuple[int, ...], folder: bool) -> None:
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = RNG.integers(0, 255, shape, dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(shape[0]) % 2)[:, None].astype(np.uint8)
    np.savez(tmp_path / "breastmnist.npz", **arrays)
    cohort = cohorts.check(cohorts.read(tmp_path if folder else tmp_path / "breastmnist.npz"))
    assert len(cohort.cases) == 27 and cohort.layout == "medmnist"
    assert cohort.case("val_1").split == "val"
    assert cohort.case("val_1").targets["label"] == "normal, benign"
    assignment = cohorts.assign(cohort, target="label", seed=1, folds=3)
    assert set(assignment.test) == {f"test_{k}" for k in range(9)}


def test_medmnist_with_several_columns_is_multilabel_and_retina_is_ordinal(tmp_path: Path) -> None:
    images = RNG.integers(0, 255, (4, 8, 8), dtype=np.uint8)
    rows = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    np.savez(tmp_path / "manymnist.npz", train_images=images, train_labels=rows)
    cohort = cohorts.read(tmp_path / "manymnist.npz")
    assert cohort.targets["label"].kind == "multilabel"
    assert [c.targets["label"] for c in cohort.cases] == [("0", "2"), (), ("0", "1", "2"), ("1",)]
    np.savez(
        tmp_path / "retinamnist_224.npz", train_images=images, train_labels=np.array([[0], [3], [1], [0]])
    )
    info = cohorts.read(tmp_path / "retinamnist_224.npz").targets["label"]
    assert info.kind == "ordinal" and [x.value for x in info.labels] == [0, 1, 2, 3, 4]


def test_medmnist_with_channels_first_is_colour_and_one_hot_labels_are_classes(tmp_path: Path) -> None:
    images = RNG.integers(0, 255, (6, 3, 28, 28), dtype=np.uint8)
    hot = np.eye(3)[[0, 1, 2, 1, 0, 2]]
    path = tmp_path / "mine.npz"
    for rows in (hot, hot.astype(np.uint8), hot.astype(bool)):
        np.savez(path, train_images=images, train_labels=rows, test_images=images, test_labels=rows[::-1])
        cohort = cohorts.check(cohorts.read(path))
        info = cohort.targets["label"]
        assert info.kind == "class" and [(x.value, x.name) for x in info.labels] == [
            (k, str(k)) for k in range(3)
        ]
        assert [c.targets["label"] for c in cohort.cases[:6]] == ["0", "1", "2", "1", "0", "2"]
        assert any("(6, 3, 28, 28) are read as colours" in n for n in cohort.notes)
        assert any(
            "3 columns of labels, of which each row has exactly one: one of 3 classes" in n
            for n in cohort.notes
        )
    assert isinstance(ref := cohort.cases[4].images["image"], Ref)
    assert np.array_equal(formats.read(ref).array, images[4][:, None])
    one = hot.astype(np.uint8)
    one[0] = 0  # a case without any: several findings, not one class
    np.savez(
        path, train_images=images, train_labels=hot.astype(np.uint8), test_images=images, test_labels=one
    )
    assert cohorts.read(path).targets["label"].kind == "multilabel"
    chest = np.eye(14, dtype=np.uint8)[[0, 1, 2, 1, 0, 2]]
    np.savez(tmp_path / "chestmnist.npz", train_images=images[:, 0], train_labels=chest)
    assert cohorts.read(tmp_path / "chestmnist.npz").targets["label"].kind == "multilabel"


def test_medmnist_faults_are_named(tmp_path: Path) -> None:
    images = RNG.integers(0, 255, (4, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=np.zeros((3, 1), np.uint8))
    with pytest.raises(FormatError, match="4 and 3"):
        cohorts.read(tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError):
        cohorts.read(tmp_path / "b.npz")


def decathlon(root: Path) -> None:
    rows = []
    for k in range(10):
        volume(root / "imagesTr" / f"case_{k}.nii.gz")
        volume(root / "labelsTr" / f"case_{k}.nii.gz", labels=True)
        rows.append({"image": f"./imagesTr/case_{k}.nii.gz", "label": f"./labelsTr/case_{k}.nii.gz"})
    volume(root / "imagesTs" / "case_90.nii.gz")
    data = {
        "labels": {"0": "background", "1": "liver", "2": "tumour"},
        "modality": {"0": "CT"},
        "training": rows,
    }
    (root / "dataset.json").write_text(json.dumps(data))


def test_decathlon_orphans_are_named(tmp_path: Path) -> None:
    decathlon(tmp_path)
    (tmp_path / "imagesTr" / "case_3.nii.gz").unlink()
    (tmp_path / "labelsTr" / "case_4.nii.gz").unlink()
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "msd"
    assert [(s.case, s.reason, s.fatal) for s in cohort.set_aside] == [
        ("case_3", "a label without an image", False)
    ]
    assert not cohort.case("case_4").targets and not cohort.case("case_90").targets
    assert [(x.value, x.name) for x in cohort.targets["mask"].labels] == [(1, "liver"), (2, "tumour")]
    assert "case_4" not in {c for f in cohorts.assign(cohort, target="mask").folds for c in f}


def nested(case: Case) -> tuple[str, ...]:
    """The folders in which a case's images and masks lie."""
    refs = [r for r in (*case.images.values(), *case.targets.values()) if isinstance(r, Ref)]
    return tuple(r.paths[0].parent.name for r in refs)


@pytest.mark.parametrize("channels", [0, 2])
@pytest.mark.parametrize("flat", [False, True])
def test_masks_of_one_name_in_several_folders_are_of_their_own_images(
    tmp_path: Path, channels: int, flat: bool
) -> None:
    endings = [f"_{k:04d}" for k in range(channels)] or [""]
    rows = []
    for day in ("day1", "day2"):
        for k in range(3):
            for ending in endings:
                volume(tmp_path / "imagesTr" / day / f"P{k}{ending}.nii.gz")
            rows.append({"image": f"./imagesTr/{day}/P{k}.nii.gz", "label": f"./labelsTr/{day}/P{k}.nii.gz"})
            if not flat:
                volume(tmp_path / "labelsTr" / day / f"P{k}.nii.gz", labels=True)
    if flat:
        volume(tmp_path / "labelsTr" / "P0.nii.gz", labels=True)
        for ending in endings:
            (tmp_path / "imagesTr" / "day1" / f"P0{ending}.nii.gz").unlink()
    else:
        (tmp_path / "labelsTr" / "day2" / "P1.nii.gz").unlink()
    head = {"training": [] if channels or flat else rows, "labels": {"0": "background", "1": "liver"}}
    (tmp_path / "dataset.json").write_text(json.dumps(head))
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == ("nnunet" if channels else "msd")
    if flat:
        assert len(cohort.cases) == 5 and [c.id for c in cohort.cases if c.targets] == ["P0"]
        return
    assert len(cohort.cases) == 6 and all(len(set(nested(c))) == 1 for c in cohort.cases)
    assert [c.id for c in cohort.cases if not c.targets] == ["day2_P1"] and not cohort.set_aside


def test_nnunet_channels_become_images_and_a_missing_one_sets_the_case_aside(tmp_path: Path) -> None:
    for k in range(12):
        for channel in range(2):
            volume(tmp_path / "imagesTr" / f"BRATS_{k:03d}_{channel:04d}.nii.gz")
        volume(tmp_path / "labelsTr" / f"BRATS_{k:03d}.nii.gz", labels=True)
    (tmp_path / "imagesTr" / "BRATS_005_0001.nii.gz").unlink()
    head = {
        "channel_names": {"0": "T1", "1": "FLAIR"},
        "labels": {"background": 0, "whole": [1, 2], "core": 2},
        "file_ending": ".nii.gz",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(head))
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "nnunet"
    case = cohort.case("BRATS_001")
    assert list(case.images) == ["T1", "FLAIR"] and case.reference == "T1" and case.registered
    assert [s.case for s in cohort.set_aside] == ["BRATS_005"] and "0001" in cohort.set_aside[0].reason
    assert {x.value: x.name for x in cohort.targets["mask"].labels} == {1: "1", 2: "core"}
    assert any("whole" in note for note in cohort.notes)


def retina(root: Path, count: int = 6) -> None:
    rows, columns = np.mgrid[:40, :40]
    disc = (rows - 20) ** 2 + (columns - 20) ** 2 < 17**2
    for k in range(21, 21 + count):
        photo(root / "images" / f"{k}_training.tif", colour=True, size=(40, 40))
        mask(root / "1st_manual" / f"{k}_manual1.gif", size=(40, 40))
        (root / "mask").mkdir(exist_ok=True)
        Picture.fromarray(disc.astype(np.uint8) * 255).save(root / "mask" / f"{k}_training_mask.gif")


def test_the_field_of_view_is_a_region_and_not_the_target(tmp_path: Path) -> None:
    retina(tmp_path)
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "paired"
    assert cohorts.select_target(cohort).name == "1st_manual"
    case = cohort.case("23_training")
    assert isinstance(case.region, Ref) and case.region.paths[0].name == "23_training_mask.gif"
    assert isinstance(case.targets["1st_manual"], Ref)
    assert case.targets["1st_manual"].paths[0].name == "23_manual1.gif"
    assert any("field of view" in note for note in cohort.notes)
    asked = cohorts.read(tmp_path, target="mask")
    assert set(asked.targets) == {"1st_manual", "mask"} and asked.cases[0].region is None


def test_two_experts_in_one_folder_are_asked_about_and_a_pattern_gives_patients(tmp_path: Path) -> None:
    for k in range(1, 5):
        for eye in "LR":
            photo(tmp_path / f"Image_{k:02d}{eye}.jpg", colour=True)
            mask(tmp_path / f"Image_{k:02d}{eye}_1stHO.png")
            mask(tmp_path / f"Image_{k:02d}{eye}_2ndHO.png")
    cohort = cohorts.read(tmp_path, columns={"patient": r"re:^(Image_\d+)"})
    assert [t.name for t in cohort.targets.values()] == ["1stHO", "2ndHO"]
    with pytest.raises(DataError, match="--target 1stHO or --target 2ndHO"):
        cohorts.select_target(cohort)
    assert cohort.patients_known and cohort.case("Image_03R").patient == "Image_03"
    assignment = cohorts.assign(cohort, target="1stHO", folds=2)
    sides = [assignment.test, *assignment.folds]
    assert all(("Image_03L" in side) == ("Image_03R" in side) for side in sides)
    with pytest.raises(DataError, match="does not match every case"):
        cohorts.read(tmp_path, columns={"patient": r"re:(Image_\d+)L"})


def test_same_stem_masks_of_another_file_type_are_paired(tmp_path: Path) -> None:
    for k in range(5):
        photo(tmp_path / f"{k}.jpg", colour=True)
        mask(tmp_path / f"{k}.png")
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "paired" and list(cohort.targets) == ["png"]
    assert len(cohort.cases) == 5 and all(c.targets for c in cohort.cases)


def test_siblings_below_splits_and_a_mask_without_an_image(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for k in range(8):
            photo(tmp_path / "images" / split / f"{split}{k}.png")
            mask(tmp_path / "annotations" / split / f"{split}{k}.png", values=(0, 1, 4))
    mask(tmp_path / "annotations" / "train" / "stray.png")
    photo(tmp_path / "images" / "train" / "bare.png")
    cohort = cohorts.read(tmp_path)
    assert {c.split for c in cohort.cases} == {"train", "test"}
    assert [s.case for s in cohort.set_aside] == ["stray"]
    assert not cohort.case("bare").targets
    checked = cohorts.check(cohort)
    assert [x.value for x in checked.targets["annotations"].labels] == [1, 4]


def test_plain_images_are_read_for_prediction(tmp_path: Path) -> None:
    one = photo(tmp_path / "x.png")
    cohort = cohorts.read(one)
    assert cohort.layout == "plain" and [c.id for c in cohort.cases] == ["x"]
    photo(tmp_path / "deep" / "y.png")
    assert len(cohorts.read(tmp_path).cases) == 2
    with pytest.raises(DataError, match="nothing to learn"):
        cohorts.select_target(cohort)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx", ".parquet"])
def test_a_table_says_what_its_columns_are(tmp_path: Path, suffix: str) -> None:
    count = 12
    for k in range(count):
        photo(tmp_path / "pictures" / f"im{k}.png")
    frame = pl.DataFrame(
        {
            "file": [f"pictures/im{k}.png" for k in range(count)],
            "patient_id": [f"p{k // 2}" for k in range(count)],
            "diagnosis": ["mel", "nev", None] * 4,
            "findings": ["effusion|mass", "mass", None, "effusion"] * 3,
            "age": [50 + k for k in range(count)],
            "sex": ["F", "M"] * 6,
            "split": ["train"] * 8 + ["test"] * 4,
            "survival_months": [1.5 * k + 1 for k in range(count)],
            "dead": [0, 1] * 6,
        }
    )
    path = tmp_path / f"cases{suffix}"
    if suffix == ".xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        for row in [frame.columns, *frame.rows()]:
            book.active.append(list(row))
        book.save(path)
    elif suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator="\t" if suffix == ".tsv" else ",")
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "table"
    kinds = {t.name: t.kind for t in cohort.targets.values()}
    assert kinds == {"diagnosis": "class", "findings": "multilabel", "survival": "event"}
    case = cohort.case("im5")
    assert case.patient == "p2" and case.split == "train" and cohort.patients_known
    assert case.covariates == {"age": 55.0, "sex": "M"}
    assert case.targets["findings"] == ("mass",)
    survival = case.targets["survival"]
    assert isinstance(survival, Event) and survival.happened
    assert survival.time_days == pytest.approx(8.5 * 30.4375)
    assert "diagnosis" not in case.targets  # the missing cell
    assert any("'patient_id'" in n or "patient_id is patient" in n for n in cohort.notes)


def test_a_table_with_columns_as_told_several_images_and_masks(tmp_path: Path) -> None:
    count = 6
    for k in range(count):
        for sequence in ("t1", "t2"):
            volume(tmp_path / f"{sequence}_{k}.nii.gz")
        volume(tmp_path / f"seg_{k}.nii.gz", labels=True)
    frame = pl.DataFrame(
        {
            "image_t1": [f"t1_{k}.nii.gz" for k in range(count)],
            "image_t2": [f"t2_{k}.nii.gz" for k in range(count)],
            "seg": [f"seg_{k}.nii.gz" for k in range(count)],
            "q7": ["x", "y"] * 3,
        }
    )
    frame.write_csv(tmp_path / "list.csv")
    cohort = cohorts.read(tmp_path, columns={"label": "q7"})
    assert list(cohort.cases[0].images) == ["t1", "t2"]
    assert {t.name: t.kind for t in cohort.targets.values()} == {"q7": "class", "seg": "mask"}
    with pytest.raises(UnknownName, match="closest: image_t"):
        cohorts.read(tmp_path, columns={"image": "image_t3"})
    with pytest.raises(UnknownName, match="unknown role"):
        cohorts.read(tmp_path, columns={"imag": "image_t1"})


def test_several_rows_of_a_case_are_its_images_and_missing_files_are_named(tmp_path: Path) -> None:
    rows = []
    for k in range(11):
        for view in ("ap", "lat"):
            photo(tmp_path / f"{k}{view}.png")
            rows.append({"case": f"c{k}", "image": f"{k}{view}.png", "label": "ab"[k % 2]})
    (tmp_path / "3lat.png").unlink()
    pl.DataFrame(rows).write_csv(tmp_path / "views.csv")
    cohort = cohorts.read(tmp_path)
    assert len(cohort.cases) == 10 and len(cohort.cases[0].images) == 2
    assert [s.case for s in cohort.set_aside] == ["c3"] and "3lat.png" in cohort.set_aside[0].reason


def test_labels_of_a_tables_masks_are_named_beside_it(tmp_path: Path) -> None:
    rows = []
    for k in range(3):
        volume(tmp_path / f"i{k}.nii.gz")
        volume(tmp_path / "masks" / f"m{k}.nii.gz", labels=True)
        rows.append(f"i{k}.nii.gz,masks/m{k}.nii.gz")
    (tmp_path / "t.csv").write_text("image,mask\n" + "\n".join(rows) + "\n")
    beside = tmp_path / "dataset.json"
    for text, names in (
        ('{"labels": {"background": 0, "liver": 1}}', {1: "liver"}),
        ('{"labels": {"0": "background", "1": "liver"}}', {1: "liver"}),
        ("{", {}),
        ('{"labels": []}', {}),
    ):
        beside.write_text(text)
        cohort = cohorts.read(tmp_path, target="mask")
        assert cohort.layout == "table", text
        assert {x.value: x.name for x in cohort.targets["mask"].labels} == names, text


def yes_no(root: Path, rows: list[str], name: str = "t.csv", encoding: str = "utf-8") -> Path:
    """A table of pictures with the columns image, cyst, tumour."""
    for k in range(len(rows)):
        photo(root / f"x{k}.png")
    text = "image,cyst,tumour\n" + "".join(f"x{k}.png,{row}\n" for k, row in enumerate(rows))
    (root / name).write_bytes(text.encode(encoding))
    return root


def test_a_column_of_mask_files_stays_one_when_it_is_the_target(tmp_path: Path) -> None:
    lines = ["image,mask,class"]
    for k in range(6):
        photo(tmp_path / "images" / f"{k}.png")
        mask(tmp_path / "masks" / f"{k}_m.png")
        lines.append(f"images/{k}.png,masks/{k}_m.png,{'ab'[k % 2]}")
    (tmp_path / "cases.csv").write_text("\n".join(lines))
    for target in ("mask", "class", None):
        cohort = cohorts.read(tmp_path / "cases.csv", target=target)
        assert {t.name: t.kind for t in cohort.targets.values()} == {"class": "class", "mask": "mask"}


def test_columns_of_yes_and_no_named_together_are_several_labels_at_once(tmp_path: Path) -> None:
    root = yes_no(tmp_path, ["1,0", "0,0", "1,1", "0,1.0", ",1", "0,1"])
    cohort = cohorts.read(root, columns={"label": "tumour,cyst"})
    assert {t.name: t.kind for t in cohort.targets.values()} == {"labels": "multilabel"}
    assert [x.name for x in cohort.targets["labels"].labels] == ["cyst", "tumour"]
    held = {c.id: c.targets.get("labels") for c in cohort.cases}
    assert held["x0"] == ("cyst",) and held["x1"] == () and set(held["x2"]) == {"cyst", "tumour"}  # type: ignore[arg-type]
    assert held["x3"] == ("tumour",) and held["x4"] is None
    assert any(n.startswith("1 row does not say yes or no") for n in cohort.notes)
    one = cohorts.read(root, columns={"label": "tumour,cyst"}, target="cyst")
    assert one.targets["cyst"].kind == "class" and "labels" not in one.targets


def test_columns_of_which_each_row_has_one_are_a_class(tmp_path: Path) -> None:
    cohort = cohorts.read(yes_no(tmp_path, ["1,0", "0,1", "1,0", "0,1"]), columns={"label": "cyst,tumour"})
    assert cohort.targets["labels"].kind == "class"
    assert [c.targets["labels"] for c in cohort.cases] == ["cyst", "tumour", "cyst", "tumour"]


def test_a_table_without_a_label_says_how_to_name_one(tmp_path: Path) -> None:
    cohort = cohorts.read(yes_no(tmp_path, ["1,0", "0,1", "1,1", "0,0"]))
    with pytest.raises(DataError, match="--column label=NAME"):
        cohorts.select_target(cohort)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_table_is_read_in_the_encodings_of_spreadsheets(tmp_path: Path, encoding: str) -> None:
    text = "image,label\n" + "".join(f"x{k}.png,{'gut' if k % 2 else 'böse'}\n" for k in range(4))
    for k in range(4):
        photo(tmp_path / f"x{k}.png")
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert [x.name for x in cohorts.read(tmp_path).targets["label"].labels] == ["böse", "gut"]


def test_links_are_followed_but_not_round_in_circles(tmp_path: Path) -> None:
    for k in range(4):
        photo(tmp_path / "data" / "ab"[k % 2] / f"{k}.png")
        photo(tmp_path / "elsewhere" / f"more{k}.png")
    (tmp_path / "data" / "c").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "a" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "elsewhere")
    names = [p.name for p in walk(tmp_path / "data" / "c")]
    assert names == [f"more{k}.png" for k in range(4)]
    assert len(walk(tmp_path / "data")) == len({p.resolve() for p in walk(tmp_path / "data")}) == 8


def test_a_table_that_names_no_image_says_so(tmp_path: Path) -> None:
    path = tmp_path / "clinical.csv"
    path.write_text("patient,age\na,3\nb,4\n")
    with pytest.raises(DataError, match="--column image=NAME"):
        cohorts.read(path)
    path.write_text("patient,age\n")
    with pytest.raises(DataError, match="no rows"):
        cohorts.read(path)


def test_dicom_series_are_cases_and_patients_are_known(
    tmp_path: Path, write_series: Callable[..., list[Path]]
) -> None:
    write_series(tmp_path / "p1" / "a", patient="P1", series="1.2.3.1", slices=4)
    write_series(tmp_path / "p1" / "b", patient="P1", series="1.2.3.2", slices=3)
    write_series(tmp_path / "p2", patient="P2", series="1.2.3.3", slices=5, suffix="")
    (tmp_path / "p2" / "README").write_text("no image")
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "dicomtree" and cohort.patients_known
    found = {c.id: (c.patient, len(c.images["image"].paths)) for c in cohort.cases}  # type: ignore[union-attr]
    assert found == {"p1_a": ("P1", 4), "p1_b": ("P1", 3), "p2": ("P2", 5)}
    pl.DataFrame({"patient": ["P1", "P2"], "label": ["ill", "well"]}).write_csv(tmp_path / "labels.csv")
    labelled = cohorts.read(tmp_path, columns={"image": "patient"}, layout="table")
    assert {len(c.images) for c in labelled.cases} == {2, 1}


def test_nothing_a_tie_and_an_unknown_layout_are_one_line_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="an empty folder"):
        cohorts.read(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        cohorts.read(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="notes.txt"):
        cohorts.read(tmp_path)
    photo(tmp_path / "x.png")
    with pytest.raises(UnknownName, match="unknown layout 'foldr'.*folder"):
        cohorts.read(tmp_path, layout="foldr")


def test_a_target_that_only_another_layout_has_is_found_there(tmp_path: Path) -> None:
    decathlon(tmp_path)
    frame = pl.DataFrame(
        {"image": [f"imagesTr/case_{k}.nii.gz" for k in range(10)], "diagnosis": ["ill", "well"] * 5}
    )
    frame.write_csv(tmp_path / "cohort.csv")
    plain = cohorts.read(tmp_path)
    assert plain.layout == "msd" and "--layout" in plain.notes[0] and "table" in plain.notes[0]
    asked = cohorts.read(tmp_path, target="diagnosis")
    assert asked.layout == "table" and asked.targets["diagnosis"].kind == "class"
    assert cohorts.read(tmp_path, target="nothing").layout == "msd"  # select_target then names what there is


def test_what_dataset_json_says_of_channels_stands_with_each_case(tmp_path: Path) -> None:
    said = {"0": "FLAIR", "1": "T1w"}
    rows = ["image,mask"]
    for k in range(3):
        volume(tmp_path / "images" / f"{k}.nii.gz", shape=(6, 6, 4, 2))
        volume(tmp_path / "images" / f"{k}_mask.nii.gz", shape=(6, 6, 4), labels=True)
        rows.append(f"images/{k}.nii.gz,images/{k}_mask.nii.gz")
    (tmp_path / "cases.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "dataset.json").write_text(
        json.dumps({"channel_names": said, "labels": {"background": 0, "a": 1}})
    )
    cohort = cohorts.read(tmp_path, layout="table")
    assert cohort.modalities == ("FLAIR", "T1w") == cohort.cases[0].declared
