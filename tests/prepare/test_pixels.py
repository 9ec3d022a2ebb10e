"""Pixels in memory: a picture that PIL has opened is what reading its file gives, and axes are what they are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import DataError, FormatError
from vesalius.prepare.pixels import as_array, image, laid_out

RGB = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)


def made(mode: str) -> Pillow.Image:
    if mode == "I;16":
        return Pillow.fromarray(RGB[..., 0].astype(np.uint16) * 256)
    return Pillow.fromarray(RGB).convert("P" if mode == "P" else mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1", "I;16"])
@pytest.mark.parametrize("orientation", [None, 1, 6])
def test_pil_and_its_file_are_one(mode: str, orientation: int | None, tmp_path: Path) -> None:
    exif = Pillow.Exif()
    if orientation is not None:
        exif[274] = orientation
    made(mode).save(tmp_path / "a.png", exif=exif)
    want = formats.read(Ref((tmp_path / "a.png",)))
    with Pillow.open(tmp_path / "a.png") as picture:
        found = image(picture)
    assert np.array_equal(found.array, want.array) and found.array.dtype == want.array.dtype
    assert found.channels == want.channels and dict(found.display) == dict(want.display)
    assert found.shape == ((1, 12, 9) if orientation == 6 else (1, 9, 12))


def test_what_pil_has_lost_is_refused(tmp_path: Path) -> None:
    pages = [made("L"), made("L")]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with Pillow.open(tmp_path / "a.tif") as picture, pytest.raises(FormatError, match="several pages"):
        image(picture)


def test_every_order_of_axes_comes_out_as_the_same_image() -> None:
    whole = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # (C, Z, Y, X)
    for axes in ("czyx", "zyxc", "xyzc", "cxyz", "yxzc"):
        given = whole.transpose(["czyx".index(a) for a in axes])
        assert np.array_equal(laid_out(given, axes), whole), axes
    assert np.shares_memory(laid_out(whole, "czyx"), whole), "nothing is copied"


def test_tensors_of_all_sorts_are_arrays() -> None:
    values = torch.arange(6.0).reshape(2, 3)
    for tensor in (
        values,
        values.bfloat16(),
        values.half(),
        values.requires_grad_(),
        values.double(),
        values.int(),
    ):
        assert np.array_equal(as_array(tensor).astype(float), [[0, 1, 2], [3, 4, 5]])
    assert as_array(torch.ones(2, 2, dtype=torch.bool)).dtype == np.uint8
    with pytest.raises(DataError, match="no pixels"):
        as_array(torch.zeros(2, 2, dtype=torch.complex64))


def test_a_monai_tensor_is_not_stripped_of_its_affine() -> None:
    from monai.data import MetaTensor

    tensor = MetaTensor(torch.zeros(1, 4, 5, 6), affine=torch.diag(torch.tensor([2.0, 2.0, 3.0, 1.0])))
    with pytest.raises(DataError, match="MetaTensor carries a geometry that would be lost"):
        as_array(tensor)
    said = image(tensor.as_tensor(), axes="cxyz", affine=tensor.affine, world="RAS")
    assert said.shape == (6, 5, 4) and said.spacing_mm == (2.0, 2.0, 3.0)


def test_names_are_one_a_channel() -> None:
    assert image(RGB, axes="yxc", channels=("red", "green", "blue")).in_colour
    with pytest.raises(DataError, match="2 names for 3 channels"):
        image(RGB, axes="yxc", channels=("red", "green"))
