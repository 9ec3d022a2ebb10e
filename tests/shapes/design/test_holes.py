"""What is no single defect of a bone is refused, and what a reader must know is told."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.shapes.bone import bone_of
from vesalius.shapes.design.frame import bone_from
from vesalius.shapes.design.holes import assert_fit, one_hole

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def plate() -> np.ndarray:
    """A plate of bone, 4 voxels thick, in the middle of the field."""
    bone = np.zeros((16, 32, 32), bool)
    bone[6:10, 3:29, 3:29] = True
    return bone


def with_holes(*places: tuple[int, int], side: int = 6) -> tuple[np.ndarray, np.ndarray]:
    bone, missing = plate(), np.zeros((16, 32, 32), bool)
    for y, x in places:
        missing[6:10, y : y + side, x : x + side] = True
    return bone & ~missing, missing


def test_one_hole_is_found_where_it_is() -> None:
    bone, missing = with_holes((8, 12))
    hole = one_hole(bone_from(bone, AFFINE), missing)
    assert hole.volume_ml == pytest.approx(4 * 6 * 6 * 8 / 1000)
    assert hole.middle_mm == pytest.approx((2 * 14.5, 2 * 10.5, 2 * 7.5))


def test_nothing_missing_is_no_design() -> None:
    bone, missing = plate(), np.zeros((16, 32, 32), bool)
    with pytest.raises(DataError, match="no defect was found"):
        one_hole(bone_from(bone, AFFINE), missing)
    missing[7, 10, 10] = True
    bone[7, 10, 10] = False
    with pytest.raises(DataError, match=r"0\.01 ml missing at most"):
        one_hole(bone_from(bone, AFFINE), missing)


def test_what_is_bone_already_is_not_missing() -> None:
    with pytest.raises(DataError, match="no defect was found"):
        one_hole(bone_from(plate(), AFFINE), plate())


def test_several_defects_are_refused_until_one_is_chosen() -> None:
    bone, missing = with_holes((5, 5), (18, 20))
    missing[6:10, 18:24, 20:28] |= ~bone[6:10, 18:24, 20:28]
    held = bone_from(bone, AFFINE)
    with pytest.raises(DataError, match=r"2 defects were found.*--defect 1"):
        one_hole(held, missing)
    one, two = (one_hole(held, missing, number=k) for k in (1, 2))
    assert not (one.missing & two.missing).any()
    with pytest.raises(DataError, match="there is no defect 3"):
        one_hole(held, missing, number=3)


def test_small_pieces_beside_a_defect_are_left_out_and_told() -> None:
    bone, missing = with_holes((8, 8), side=12)
    small = np.zeros_like(missing)
    small[6:10, 24:28, 24:29] = True
    hole = one_hole(bone_from(bone & ~small, AFFINE), missing | small)
    assert not (hole.missing & small).any()
    assert "1 smaller piece" in hole.notes[0]


def test_a_defect_at_the_field_s_edge_is_refused() -> None:
    bone = np.zeros((16, 32, 32), bool)
    bone[6:10] = True
    missing = np.zeros_like(bone)
    missing[6:10, :8, 10:20] = True
    with pytest.raises(DataError, match=r"cut by the field's edge.*low y"):
        one_hole(bone_from(bone & ~missing, AFFINE), missing)


def test_what_lies_outside_of_a_bone_is_no_hole_in_it() -> None:
    """A completion that misses the bone, such as a mirror image beside it, has next to no bone around it."""
    missing = np.zeros((16, 32, 32), bool)
    missing[1:5, 8:20, 8:20] = True
    bone = plate()
    bone[6:10, 3:29, 16:29] = False
    with pytest.raises(DataError, match="does not lie in a hole of this bone"):
        one_hole(bone_from(bone, AFFINE), missing)


def _image(side: tuple[float, float, float], *, unit: str | None = None, value: float = 1.0) -> Image:
    return Image(np.where(plate(), value, 0).astype(np.int16)[None], affine=np.diag([*side, 1.0]), unit=unit)


def test_images_on_which_nobody_could_design_are_refused() -> None:
    assert assert_fit(_image((1.0, 1.0, 1.0))) == ()
    with pytest.raises(DataError, match="left and right"):
        assert_fit(Image(plate()[None].astype(np.uint8), spacing_mm=(1.0, 1.0, 1.0)))
    with pytest.raises(DataError, match="slices are too thick"):
        assert_fit(_image((1.0, 1.0, 5.0)))
    with pytest.raises(DataError, match="unit is not millimetres"):
        assert_fit(_image((0.001, 0.001, 0.001)))


def test_coarse_voxels_and_metal_are_told() -> None:
    (note,) = assert_fit(_image((2.0, 2.0, 2.0)))
    assert "2×2×2 mm" in note
    image = _image((1.0, 1.0, 1.0), unit="HU", value=900)
    image.array[0, 7, 5:9, 5:9] = 3071
    assert "metal" in assert_fit(image)[0]


def test_bone_is_what_the_image_says_and_never_guessed() -> None:
    assert (bone_of(_image((1.0, 1.0, 1.0))) == plate()).all()
    assert (bone_of(_image((1.0, 1.0, 1.0), unit="HU", value=900)) == plate()).all()
    grey = Image(np.arange(4096, dtype=np.int16).reshape(1, 16, 16, 16), affine=AFFINE)
    with pytest.raises(DataError, match=r"neither a mask nor a CT.*--bone"):
        bone_of(grey)
    assert bone_of(grey, 4000.0).sum() == 96
    with pytest.raises(DataError, match="no bone was found"):
        bone_of(_image((1.0, 1.0, 1.0), unit="HU", value=100))
