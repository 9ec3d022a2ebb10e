"""Cohorts on disk: the same bytes each time, and geometry that other libraries read alike."""

import csv
import hashlib
import json

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image as Pillow

from vesalius import cohorts
from vesalius import phantom as make
from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.phantom.abdomen.window import windowed
from vesalius.phantom.ct import LABELS, patient

TINY = (12, 20, 24)


def digests(root):
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module", params=["nifti", "png", "dicom"])
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, make(folder / "a", cases=4, seed=9, size=TINY, format=request.param)


def test_the_same_seed_writes_the_same_bytes(written, tmp_path):
    kind, root = written
    assert digests(make(tmp_path / "b", cases=4, seed=9, size=TINY, format=kind)) == digests(root)


def test_a_case_does_not_depend_on_the_number_of_cases(written, tmp_path):
    kind, root = written
    fewer = digests(make(tmp_path / "fewer", cases=2, seed=9, size=TINY, format=kind))
    all_of_them = digests(root)
    shared = [n for n in fewer if "case-" in n or n.endswith(".dcm")]
    assert len(shared) >= 2 * 5
    assert all(fewer[n] == all_of_them[n] for n in shared)
    truth = [json.loads((p / "truth.json").read_text())["cases"][:2] for p in (root, tmp_path / "fewer")]
    assert truth[0] == truth[1]


def test_the_table_names_files_that_exist_and_says_what_the_truth_says(written):
    _, root = written
    rows = table(root / "cohort.csv")
    truth = json.loads((root / "truth.json").read_text())
    assert len(rows) == len(truth["cases"]) == 4
    for row, case in zip(rows, truth["cases"], strict=True):
        assert (root / row["image"]).exists() and (root / row["mask"]).is_file()
        assert row["class"] == case["class"] and row["case"] == case["id"]
        assert float(row["time_days"]) == case["outcome"]["time_days"]
        assert int(row["event"]) == case["outcome"]["event"]
        assert int(row["treatment"]) == case["outcome"]["treated"]
        assert float(row["age"]) == case["covariates"]["age"]
        assert case["report"]["impression"] in row["report"]
        assert len(case["outcome"]["survival"]["treated"]) == len(truth["survival"]["grid_days"])
    drawings = table(root / "experts" / "experts.csv")
    assert len(drawings) == 12
    assert all((root / "experts" / d["mask"]).is_file() for d in drawings)
    assert (root / "README.md").read_text().startswith("# A synthetic cohort: 4 ")


def test_nifti_has_the_geometry_that_simpleitk_and_nibabel_read(tmp_path):
    root = make(tmp_path / "n", cases=1, seed=9, size=TINY)
    study = patient(0, 9, size=TINY)
    for name, array in (("imagesTr", study.image), ("labelsTr", study.labels)):
        image = sitk.ReadImage(str(root / name / "case-0000.nii.gz"))
        assert np.array_equal(sitk.GetArrayFromImage(image), array)
        for index in ((0, 0, 0), (23, 0, 0), (0, 19, 0), (0, 0, 11), (23, 19, 11)):
            lps = image.TransformIndexToPhysicalPoint(index)
            assert lps == pytest.approx((study.affine @ [*index, 1])[:3], abs=1e-3)
    header = nibabel.load(root / "imagesTr" / "case-0000.nii.gz").header
    assert header["sform_code"] == 1 and header["qform_code"] == 1
    assert header.get_sform() == pytest.approx(header.get_qform(), abs=1e-3)
    listed = json.loads((root / "dataset.json").read_text())
    assert listed["labels"] == {"0": "background"} | {str(v): k for k, v in LABELS.items()}
    assert listed["training"] == [
        {"image": "./imagesTr/case-0000.nii.gz", "label": "./labelsTr/case-0000.nii.gz"}
    ]


def test_dicom_has_the_geometry_of_the_study(tmp_path):
    root = make(tmp_path / "d", cases=1, seed=9, size=TINY, format="dicom")
    study = patient(0, 9, size=TINY)
    files = sorted((root / "dicom" / "P0000").glob("*.dcm"))
    slices = [pydicom.dcmread(f) for f in files]
    assert len(slices) == 12 and len({s.SOPInstanceUID for s in slices}) == 12
    assert len({(s.SeriesInstanceUID, s.StudyInstanceUID, s.FrameOfReferenceUID) for s in slices}) == 1
    for k, s in enumerate(slices):
        hu = s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept)
        assert np.array_equal(hu, study.image[k])
        across, down = np.array(s.ImageOrientationPatient, float).reshape(2, 3)
        row_mm, column_mm = map(float, s.PixelSpacing)
        corner = np.array(s.ImagePositionPatient, float)
        for x, y in ((0, 0), (23, 0), (5, 19)):  # PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1
            position = corner + across * column_mm * x + down * row_mm * y
            assert position == pytest.approx((study.affine @ [x, y, k, 1])[:3], abs=1e-6)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(root / "dicom" / "P0000")))
    volume = reader.Execute()
    assert np.array_equal(sitk.GetArrayFromImage(volume), study.image)
    assert volume.TransformIndexToPhysicalPoint((3, 5, 11)) == pytest.approx(
        (study.affine @ [3, 5, 11, 1])[:3], abs=1e-2
    )


@pytest.mark.parametrize("write", ["nifti", "png", "dicom"])
def test_every_format_is_read_with_the_organs_names(tmp_path, write):
    root = make(tmp_path / "d", cases=2, seed=9, size=TINY, format=write)
    cohort = cohorts.read(root, target="mask")
    assert len(cohort.cases) == 2 and not cohort.set_aside
    assert {x.name: x.value for x in cohort.targets["mask"].labels} == LABELS


def test_png_slices_are_windowed_and_filed_by_class(tmp_path):
    root = make(tmp_path / "p", cases=3, seed=9, size=TINY, format="png")
    assert sorted(p.name for p in (root / "classes").iterdir()) == ["cyst", "malignant", "normal"]
    for row in table(root / "cohort.csv"):
        study = patient(int(row["case"][-4:]), 9, size=TINY)
        picture = np.asarray(Pillow.open(root / row["image"]))
        assert picture.dtype == np.uint8 and picture.shape == TINY[1:]
        assert np.array_equal(picture, windowed(study.image[study.key_slice]))
        assert (root / row["image"]).parent.name == row["class"]
        mask = np.asarray(Pillow.open(root / row["mask"]))
        assert np.array_equal(mask, study.labels[study.key_slice])
        assert (mask == LABELS["lesion"]).any() == (row["class"] != "normal")


def test_the_window_by_hand():
    assert windowed(np.array([-1000, -140, 60, 260, 900])).tolist() == [0, 0, 128, 255, 255]


def test_nothing_is_overwritten_and_wrong_arguments_write_nothing(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        make(tmp_path / "full", cases=1, size=TINY)
    with pytest.raises(UnknownName, match="nifti"):
        make(tmp_path / "x", cases=1, format="nift")
    with pytest.raises(UnknownName, match="small"):
        make(tmp_path / "x", cases=1, size="smal")
    with pytest.raises(DataError, match="0 cases"):
        make(tmp_path / "x", cases=0)
    assert not (tmp_path / "x").exists() and (tmp_path / "full" / "mine.txt").read_text() == "keep"


def test_what_was_begun_is_removed_when_the_disk_is_full(tmp_path, monkeypatch):
    import errno

    from vesalius.phantom.common import output

    def full(array, affine):
        raise OSError(errno.ENOSPC, "No space left on device")

    begun = tmp_path / "out"
    monkeypatch.setattr(output.Path, "write_bytes", lambda self, data: full(None, None))
    with pytest.raises(OutputError, match="no space left"):
        make(begun, cases=1, size=TINY)
    assert not begun.exists()


TEXTS_OF_BEFORE = {
    "cohort.csv": "833f8691b0cf8d8a",
    "dataset.json": "642a67c38429b776",
    "README.md": "08f960581c9d8f83",
    "experts/experts.csv": "f3a5eeb5fa22c04f",
    "truth.json": "8ef7f11a1d50f95b",
}
PIXELS_OF_BEFORE = (
    (-3707788, [5346, 210, 41, 19, 22, 19, 52, 47, 4], [214, 214, 213]),
    (-3762112, [5351, 199, 43, 14, 17, 12, 64, 42, 18], [217, 217, 216]),
)


def test_the_cohorts_of_before_are_made_again(tmp_path):
    """Texts to the byte; pixels by their sums, of which one voxel in ten thousand rounds with the processor."""
    root = make(tmp_path / "n", cases=2, seed=9, size=TINY)
    found = {n: hashlib.sha256((root / n).read_bytes()).hexdigest()[:16] for n in TEXTS_OF_BEFORE}
    assert found == TEXTS_OF_BEFORE
    for index, (total, counts, drawn) in enumerate(PIXELS_OF_BEFORE):
        study = patient(index, 9, size=TINY)
        assert int(study.image.sum()) == pytest.approx(total, abs=3)
        assert np.bincount(study.labels.ravel(), minlength=9).tolist() == counts
        assert [int((d.mask > 0).sum()) for d in study.experts] == drawn
