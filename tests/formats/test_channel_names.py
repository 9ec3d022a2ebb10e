"""Which files say that their channels are red, green and blue, and which do not, however many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.channels import COLOURS, are_colours, described, order, says_nothing
from vesalius.core.image import Image

RGB = np.random.default_rng(0).integers(0, 256, (12, 14, 3), dtype=np.uint8)
RGBA = np.dstack([RGB, np.full((12, 14), 200, np.uint8)])


def picture(path: Path) -> Path:
    Pillow.fromarray(RGBA).save(path)
    return path


def npz(path: Path) -> Path:
    np.savez(path, train_images=np.stack([RGB, RGB]))
    return path


def nifti_type(path: Path) -> Path:
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    array = np.ascontiguousarray(RGB).view(kind).reshape(12, 14).T[..., None]
    nib.save(nib.Nifti1Image(np.asarray(array, order="F"), np.eye(4), dtype=kind), path)
    return path


def nifti_vector(path: Path) -> Path:
    image: Any = nib.Nifti1Image(RGB.transpose(1, 0, 2)[:, :, None, None, :], np.eye(4))
    image.header.set_intent("rgb vector")
    nib.save(image, path)
    return path


def nrrd_colour(path: Path) -> Path:
    kinds = ["RGB-color", "domain", "domain"]
    nrrd.write(str(path), RGB.transpose(2, 1, 0), {"kinds": kinds}, index_order="F")
    return path


def deep_tiff(path: Path) -> Path:
    tifffile.imwrite(path, RGB.astype(np.uint16) * 257, photometric="rgb")
    return path


@pytest.mark.parametrize(
    ("make", "name", "scale"),
    [(picture, "a.png", 1), (npz, "a.npz", 1), (nifti_type, "a.nii", 1), (nifti_vector, "b.nii", 1),
     (nrrd_colour, "a.nrrd", 1), (deep_tiff, "a.tif", 257)],
)  # fmt: skip
def test_colours_are_called_so(tmp_path: Path, make: Any, name: str, scale: int) -> None:
    path = make(tmp_path / name)
    ref = Ref((path,), "train_images", 1) if name.endswith("npz") else Ref((path,))
    image = formats.read(ref)
    assert image.channels == COLOURS and image.in_colour
    assert np.array_equal(image.array[:, 0], np.moveaxis(RGB, -1, 0).astype(image.array.dtype) * scale)


@pytest.mark.parametrize("count", [3, 4])
def test_several_channels_of_other_files_have_no_names(tmp_path: Path, count: int) -> None:
    many = Image(
        np.random.default_rng(1).normal(size=(count, 5, 6, 7)).astype(np.float32), spacing_mm=(1, 1, 2)
    )
    for name in ("a.nii.gz", "a.mha", "a.nrrd"):
        image = formats.read(formats.write(many, tmp_path / name))
        assert image.array.shape[0] == count and not image.in_colour
    samples = np.random.default_rng(2).integers(0, 65535, (8, 9, count), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="minisblack", planarconfig="contig")
    image = formats.read(tmp_path / "a.tif")
    assert image.array.shape == (count, 1, 8, 9) and image.channels == ()


def test_written_colours_come_back_as_such(tmp_path: Path) -> None:
    image = Image(np.moveaxis(RGB, -1, 0)[:, None], spacing_mm=(1, 1, 1), channels=COLOURS)
    assert formats.read(formats.write(image, tmp_path / "a.nrrd")).channels == COLOURS


def test_names_are_compared_by_their_meaning() -> None:
    assert are_colours(("R", "G", "b")) and are_colours((*COLOURS, "alpha"))
    assert not are_colours(("red", "blue", "green")) and not are_colours((*COLOURS, "infrared"))
    assert order(("T2-w", "t1gd"), ("T1ce", "T2")) == (1, 0) and order(("t1", "t2"), ("t1", "flair")) is None
    assert order(("x", "x"), ("x", "x")) == (0, 1), "names that are not told apart keep their order"
    assert all(map(says_nothing, ("image", "Image 2", "channel 0", "zscore", "rescale_to_0_1", "3")))
    assert not any(map(says_nothing, ("t1", "FLAIR", "CT")))
    assert described(1, ()) == "1 channel" and described(2, ("a", "b")) == "2 channels (a, b)"
