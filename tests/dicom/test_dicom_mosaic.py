"""Siemens mosaics, on the files that nibabel tests its own reader with, which is the independent one here."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from nibabel.nicom.dicomwrappers import wrapper_from_file
from pydicom.dataset import Dataset

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.formats import dicom

DATA = Path(nibabel.__file__).parent / "nicom/tests/data"
RANDOM = np.random.default_rng(0)


def mosaic(
    path: Path, name: str = "siemens_dwi_1000", change: Callable[[Dataset], object] | None = None
) -> Path:
    """A real header; its pixels, which are zeros in nibabel's copy, filled at random."""
    with gzip.open(DATA / f"{name}.dcm.gz") as file:
        data = pydicom.dcmread(file)
    data.PixelData = RANDOM.integers(0, 4096, (data.Rows, data.Columns), np.uint16).tobytes()
    if change is not None:
        change(data)
    data.save_as(path)
    return path


def flip_slices(data: Dataset) -> None:
    """The opposite slice normal in the CSA header."""
    header = bytes(data[0x29, 0x1010].value)
    at = header.index(b"SliceNormalVector") + 84
    for _ in range(3):
        size = struct.unpack_from("<4i", header, at)[1]
        at += 16
        text = header[at : at + size].split(b"\0")[0].strip()
        other = text[1:] if text.startswith(b"-") else b"-" + text
        header = header[:at] + other[: size - 1].ljust(size, b"\0") + header[at + size :]
        at += (size + 3) // 4 * 4
    data[0x29, 0x1010].value = header


@pytest.mark.parametrize("change", [None, flip_slices])
def test_a_mosaic_is_a_volume_as_nibabel_reads_it(
    tmp_path: Path, change: Callable[[Dataset], object] | None
) -> None:
    path = mosaic(tmp_path / "m.dcm", change=change)
    image, head, theirs = formats.read(path), formats.header(path), wrapper_from_file(path)
    assert image.array.shape == (1, 48, 128, 128) and head.shape == (48, 128, 128) and head.items == 48
    assert np.allclose(np.linalg.norm(image.affine[:3, :3], axis=0), (1.796875, 1.796875, 3))
    data, affine = np.asarray(theirs.get_data()), theirs.affine  # indices (row, column, slice), to LPS
    assert data.std() > 100
    rows, columns, slices = (RANDOM.integers(0, n, 200) for n in data.shape)
    where = affine @ np.stack([rows, columns, slices, np.ones(200)])
    x, y, z, _ = np.rint(np.linalg.inv(image.affine) @ where).astype(int)
    assert np.array_equal(image.array[0, z, y, x], data[rows, columns, slices])
    assert np.allclose(image.affine @ np.stack([x, y, z, np.ones(200)]), where, atol=1e-3)
    one = formats.read(Ref((path,), index=7))
    at = np.linalg.inv(image.affine) @ one.affine[:, 3]
    assert np.array_equal(one.array[0, 0], image.array[0, round(at[2])]) and abs(at[:2]).max() < 1e-4


def test_each_mosaic_of_a_series_is_a_volume(tmp_path: Path) -> None:
    paths = [mosaic(tmp_path / f"{name}.dcm", name) for name in ("siemens_dwi_0", "siemens_dwi_1000")]
    found, left = dicom.series(paths)
    assert not left and [s.part for s in found] == ["b-value 0", "b-value 1000"]
    assert [formats.read(s.ref).array.shape for s in found] == [(1, 48, 128, 128)] * 2
    with pytest.raises(FormatError, match="several multi-frame files"):
        formats.read(Ref(tuple(paths)))


def drop(*tags: tuple[int, int]) -> Callable[[Dataset], object]:
    def change(data: Dataset) -> None:
        for tag in tags:
            del data[tag]

    return change


def united(data: Dataset) -> None:
    data.ImageType = ["ORIGINAL", "PRIMARY", "VFRAME"]
    block = data.private_block(0x65, "Image Private Header", create=True)
    block.add_new(0x50, "DS", "48")


def backwards(data: Dataset) -> None:
    data[0x29, 0x1020].value = bytes(data[0x29, 0x1020].value) + b"sSliceArray.ucImageNumbTra = 0x1\n\0"


def cut(data: Dataset) -> None:
    data[0x29, 0x1010].value = bytes(data[0x29, 0x1010].value)[:300]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (drop((0x29, 0x1010)), "which way its slices go"),
        (cut, "which way its slices go"),
        (drop((0x29, 0x1010), (0x19, 0x100A)), "of how many slices"),
        (drop((0x18, 0x88)), "without a distance"),
        (drop((0x20, 0x32)), "without a position"),
        (lambda d: setattr(d, "Rows", 895), "tiles do not fill it; found 48 slices in 895 × 896"),
        (backwards, "numbered backwards"),
        (united, "United Imaging"),
        (
            lambda d: setattr(d, "ImageOrientationPatient", [1, 0, 0, 0, 0, -1]),
            "do not go along their normal",
        ),
    ],
)
def test_a_mosaic_that_cannot_be_placed_is_refused(
    tmp_path: Path, change: Callable[[Dataset], object], says: str
) -> None:
    path = mosaic(tmp_path / "m.dcm", change=change)
    with pytest.raises(FormatError, match=f"m.dcm.*{says}"):
        formats.read(path)
    assert not formats.header(mosaic(path)).display.get("gantry_tilt")


def test_the_count_is_also_in_the_csa_header(tmp_path: Path) -> None:
    path = mosaic(tmp_path / "m.dcm", change=drop((0x19, 0x100A)))
    assert formats.read(path).array.shape == (1, 48, 128, 128)
