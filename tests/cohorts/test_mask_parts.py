"""Boxes around the connected parts of masks, held against scikit-image's regions."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture
from skimage.measure import label, regionprops

from vesalius import cohorts
from vesalius.core.case import Box
from vesalius.core.errors import DataError, UnknownName


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if array.ndim == 3:
        nib.save(nib.Nifti1Image(array.astype(np.uint8).transpose(2, 1, 0), np.diag([-1, -1, 1, 1])), path)
    else:
        Picture.fromarray(array.astype(np.uint8)).save(path)


def folder(root: Path, masks: list[np.ndarray]) -> Path:
    suffix = ".nii.gz" if masks[0].ndim == 3 else ".png"
    for k, mask in enumerate(masks):
        noise = np.random.default_rng(k).integers(0, 255, mask.shape)
        save(root / "images" / f"{k}{suffix}", noise)
        save(root / "masks" / f"{k}{suffix}", mask)
    return root


def parts(mask: np.ndarray) -> set[tuple[float, ...]]:
    """Return the corners (z, y, x) of the parts of each value by scikit-image, diagonals included."""
    found = set()
    for value in set(np.unique(mask).tolist()) - {0}:
        for region in regionprops(label(mask == value, connectivity=mask.ndim)):
            low, high = region.bbox[: mask.ndim], region.bbox[mask.ndim :]
            z = ((0,), (1,)) if mask.ndim == 2 else ((), ())
            found.add((value, *z[0], *low, *z[1], *high))
    return found


@pytest.mark.parametrize("shape", [(40, 60), (12, 20, 16)])
def test_parts_of_each_label_are_those_of_scikit_image(tmp_path: Path, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    masks = [(rng.random(shape) < 0.12) * rng.integers(1, 3, shape) for _ in range(3)]
    folder(tmp_path, masks)
    cohort = cohorts.read(tmp_path, columns={"boxes": "mask"})
    assert list(cohort.targets) == ["boxes"]
    for k, mask in enumerate(masks):
        held = cohort.case(str(k)).targets["boxes"]
        assert isinstance(held, tuple)
        assert {(int(b.label), *b.low, *b.high) for b in held if isinstance(b, Box)} == parts(mask)
        assert len(held) == len(parts(mask))
    assert "of a single voxel" in cohort.doubts[-1].what


def test_an_empty_mask_is_a_case_without_boxes_and_encodings_are_one_label(tmp_path: Path) -> None:
    one, other, none = (np.zeros((20, 20)) for _ in range(3))
    one[2:5, 3:9] = 1
    other[10:14, 3:9] = 255
    folder(tmp_path, [one, other, none])
    cohort = cohorts.read(tmp_path, columns={"boxes": "masks"})
    labels = {b.label for c in cohort for b in c.targets["boxes"]}  # type: ignore[union-attr]
    assert len(labels) == 1 and cohort.case("2").targets["boxes"] == ()
    assert cohort.case("1").targets["boxes"][0].low == (0, 10, 3)  # type: ignore[index]
    named = cohorts.read(tmp_path, columns={"boxes": "mask"}, labels={"1": "cell", "255": "cell"})
    assert {b.label for c in named for b in c.targets["boxes"]} == {"cell"}  # type: ignore[union-attr]


def test_blurred_edges_are_cut_before_parts_are_counted(tmp_path: Path) -> None:
    mask = np.zeros((400, 400))
    mask[10:300, 10:300], mask[310:395, 310:395] = 255, 255
    noise = np.random.default_rng(0).integers(-6, 7, mask.shape)  # as JPEG leaves it
    folder(tmp_path, [np.clip(mask + noise, 0, 255)] * 2)
    cohort = cohorts.read(tmp_path, columns={"boxes": "mask"})
    held = cohort.case("0").targets["boxes"]
    assert [b.low for b in held] == [(0, 10, 10), (0, 310, 310)]  # type: ignore[union-attr]


def test_a_mask_of_another_shape_and_what_is_no_mask_are_refused(tmp_path: Path) -> None:
    mask = np.zeros((20, 20))
    mask[2:5, 3:9] = 1
    folder(tmp_path, [mask] * 3)
    with pytest.raises(UnknownName, match="mask or word for --column boxes.*'msk'.*masks"):
        cohorts.read(tmp_path, columns={"boxes": "msk"})
    with pytest.raises(DataError, match="says how boxes are written, and none are here.*boxes=masks"):
        cohorts.read(tmp_path, columns={"boxes": "corners"})
    plain = tmp_path / "plain"
    save(plain / "a.png", mask)
    with pytest.raises(DataError, match="none are here"):
        cohorts.read(plain, columns={"boxes": "corners"})
