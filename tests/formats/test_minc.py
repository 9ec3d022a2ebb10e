"""MINC: values scaled slice by slice, axes in the file's order and geometry, against what was written and nibabel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nibabel.externals.netcdf import netcdf_file

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, MissingExtra

STEPS, STARTS = (
    {"xspace": 2.0, "yspace": -1.5, "zspace": 3.0},
    {"xspace": -10.0, "yspace": 20.0, "zspace": 5.0},
)
ORDER = ("zspace", "yspace", "xspace")


def write(
    path: Path, *, steps: bool = True, order: tuple[str, ...] = ORDER, labels: bool = False
) -> np.ndarray:
    """Write a MINC 1 file of int16 whose slices have scales of their own, and return the real values."""
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 32001, (3, 4, 5)).astype(">i2")
    low, high = np.array([0.0, -100.0, 5.0]), np.array([1.0, 300.0, 6.0])
    if labels:
        stored = (rng.integers(0, 4, (3, 4, 5)) * 8000).astype(">i2")
        low, high = np.zeros(3), np.full(3, 4.0)
    file: Any = netcdf_file(str(path), "w")
    for name, n in zip(order, (3, 4, 5), strict=True):
        file.createDimension(name, n)
        axis = file.createVariable(name, "i", ())
        axis.spacing = b"regular__"
        if steps:
            axis.step, axis.start = STEPS.get(name, 1.0), STARTS.get(name, 0.0)
    image = file.createVariable("image", "h", order)
    image.signtype, image.valid_range = b"signed__", np.array([0.0, 32000.0])
    image[:] = stored
    for name, values in (("image-min", low), ("image-max", high)):
        file.createVariable(name, "d", order[:1])[:] = values
    file.close()
    return np.asarray(low[:, None, None] + np.clip(stored, 0, 32000) / 32000 * (high - low)[:, None, None])


def test_values_and_geometry(tmp_path: Path) -> None:
    want = write(tmp_path / "a.mnc")
    found = formats.read(tmp_path / "a.mnc")
    assert found.shape == (3, 4, 5) and np.allclose(found.array[0], want, rtol=1e-6)
    assert found.affine is not None
    at = found.affine @ [1, 2, 1, 1]  # x right 2 mm, y back 1.5 mm, z up 3 mm; LPS turns x and y
    assert at[:3].tolist() == [-(-10 + 2), -(20 - 3), 5 + 3]
    other = nib.load(tmp_path / "a.mnc")
    assert np.allclose(np.asarray(other.dataobj), found.array[0], rtol=1e-6)
    assert np.allclose(np.diag([-1, -1, 1, 1]) @ other.affine @ [1, 2, 1, 1], at)
    head = formats.header(Ref((tmp_path / "a.mnc",)))
    assert head.shape == (3, 4, 5) and head.dtype == "float32" and np.array_equal(head.affine, found.affine)


def test_another_order_of_axes(tmp_path: Path) -> None:
    write(tmp_path / "a.mnc", order=("yspace", "zspace", "xspace"))
    found = formats.read(tmp_path / "a.mnc")
    assert found.affine is not None  # index (x, y, z) is (xspace, zspace, yspace) of the file
    assert (found.affine @ [0, 1, 0, 1])[:3].tolist() == [10, -20, 8]
    assert (found.affine @ [0, 0, 1, 1])[:3].tolist() == [10, -18.5, 5]


def test_without_steps_there_is_no_geometry(tmp_path: Path) -> None:
    write(tmp_path / "a.mnc", steps=False)
    found = formats.read(tmp_path / "a.mnc")
    assert found.affine is None and found.spacing_mm is None


def test_labels_are_whole(tmp_path: Path) -> None:
    want = write(tmp_path / "a.mnc", labels=True)
    mask = formats.read_mask(Ref((tmp_path / "a.mnc",)))
    assert mask.array.dtype.kind in "iu" and np.array_equal(mask.array[0], want)
    write(tmp_path / "b.mnc")
    with pytest.raises(FormatError, match="whole numbers"):
        formats.read_mask(Ref((tmp_path / "b.mnc",)))


def test_time_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.mnc", order=("time", "yspace", "xspace"))
    with pytest.raises(FormatError, match="axes other than x, y and z"):
        formats.read(tmp_path / "a.mnc")


def test_damage(tmp_path: Path) -> None:
    write(tmp_path / "a.mnc")
    whole = (tmp_path / "a.mnc").read_bytes()
    for k, data in enumerate((whole[:60], whole[: len(whole) // 2], whole[:4] + b"\xff" * 40, b"CDF\x01")):
        (tmp_path / f"{k}.mnc").write_bytes(data)
        with pytest.raises(FormatError):
            formats.read(tmp_path / f"{k}.mnc")


def test_version_2(tmp_path: Path) -> None:
    path = tmp_path / "a.mnc"
    try:
        import h5py
    except ModuleNotFoundError:
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
        with pytest.raises(MissingExtra, match="minc"):
            formats.read(path)
        return
    stored = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    with h5py.File(path, "w") as file:
        root = file.create_group("minc-2.0")
        for name, n in zip(ORDER, (3, 4, 5), strict=True):
            axis = root.create_dataset(f"dimensions/{name}", data=0)
            axis.attrs["step"], axis.attrs["start"], axis.attrs["length"] = STEPS[name], STARTS[name], n
        image = root.create_dataset("image/0/image", data=stored)
        image.attrs["dimorder"], image.attrs["valid_range"] = np.bytes_(",".join(ORDER)), [0.0, 59.0]
        for name, value in (("image-min", 1.0), ("image-max", 119.0)):
            root.create_dataset(f"image/0/{name}", data=value).attrs["dimorder"] = np.bytes_("")
    found = formats.read(path)
    assert np.allclose(found.array[0], 1 + 2 * stored) and found.affine is not None
    assert (found.affine @ [1, 2, 1, 1])[:3].tolist() == [8, -17, 8]
