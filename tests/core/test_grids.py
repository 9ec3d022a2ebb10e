"""How two grids differ, in words: flipped, turned, moved, another spacing, size or direction, and several at once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vesalius.core.grids import EXIF_ORIENTATION, difference, mask_fault
from vesalius.core.image import Array, Image

SHAPE = (16, 24, 32)  # z, y, x
BASE = np.array([[1.0, 0, 0, -10], [0, 1.0, 0, 20], [0, 0, 2.0, 30], [0, 0, 0, 1]])
COUNTS = np.array([32, 24, 16])


def image(affine: Array | None, shape: tuple[int, int, int] = SHAPE, **display: object) -> Image:
    return Image(np.zeros((1, *shape), np.uint8), affine=affine, display=display)


def flipped(affine: Array, *axes: int) -> Array:
    """The same place, stored the other way round."""
    turn = np.eye(4)
    for axis in axes:
        turn[axis, axis], turn[axis, 3] = -1, COUNTS[axis] - 1
    return affine @ turn


def moved(affine: Array, *by: float) -> Array:
    out = affine.copy()
    out[:3, 3] += by
    return out


def rotated(affine: Array, degrees: float) -> Array:
    """Turned about the middle of the grid, around the axis to the head."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    middle = affine @ [*((COUNTS - 1) / 2), 1]
    there, back = np.eye(4), np.eye(4)
    there[:3, 3], back[:3, 3] = -middle[:3], middle[:3]
    return back @ turn @ there @ affine


def spaced(affine: Array, *factors: float) -> Array:
    """Other voxels around the same middle."""
    out = affine @ np.diag([*factors, 1.0])
    middle = [*((COUNTS - 1) / 2), 1]
    out[:3, 3] += (affine @ middle - out @ middle)[:3]
    return out


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (flipped(BASE, 0), "flipped along x"),
        (flipped(BASE, 2), "flipped along z"),
        (flipped(BASE, 0, 1), "flipped along x and y"),
        (flipped(BASE, 0, 1, 2), "flipped along x, y and z"),
        (moved(BASE, 0, 0, 50), "moved by 50 mm, (0, 0, 50) to the left, back and head"),
        (moved(BASE, -3, 4, 0), "moved by 5 mm, (-3, 4, 0) to the left, back and head"),
        (spaced(BASE, 1, 1, 2), "another spacing, 1 × 1 × 4 and 1 × 1 × 2 mm (x, y, z)"),
        (rotated(BASE, 10), "rotated by 10°"),
        (rotated(BASE, 60), "rotated by 60°"),
        (
            moved(flipped(BASE, 1), 0, 0, 7),
            "flipped along y; moved by 7 mm, (0, 0, 7) to the left, back and head",
        ),
        (
            moved(rotated(BASE, -5), 40, 0, 0),
            "rotated by 5°; moved by 40 mm, (40, 0, 0) to the left, back and head",
        ),
        (
            moved(spaced(BASE, 2, 1, 1), 0, 9, 0),
            "another spacing, 2 × 1 × 2 and 1 × 1 × 2 mm (x, y, z);"
            " moved by 9 mm, (0, 9, 0) to the left, back and head",
        ),
        (rotated(flipped(BASE, 0), 20), "flipped along x; rotated by 20°"),
    ],
)
def test_what_differs_is_named(other: Array, words: str) -> None:
    assert difference(image(other), image(BASE)) == words


def test_one_place_with_its_axes_in_another_order() -> None:
    swapped = BASE[:, [1, 0, 2, 3]]
    assert difference(image(swapped, (16, 24, 24)), image(BASE, (16, 24, 24))) == "axes x and y swapped"
    words = difference(image(swapped, (16, 32, 24)), image(BASE))
    assert words == "(16, 32, 24) and (16, 24, 32) (z, y, x); axes x and y swapped"
    round_ = difference(image(BASE[:, [2, 0, 1, 3]], (24, 24, 24)), image(BASE, (24, 24, 24)))
    assert round_ is not None and round_.startswith("axes in the order y, z, x")


def test_another_size_comes_with_what_else_differs() -> None:
    half = image(spaced(BASE, 1, 1, 2), (8, 24, 32))
    words = difference(half, image(BASE))
    assert (
        words
        == "(8, 24, 32) and (16, 24, 32) (z, y, x); another spacing, 1 × 1 × 4 and 1 × 1 × 2 mm (x, y, z)"
    )
    assert difference(image(BASE, (8, 24, 32)), image(BASE)) == "(8, 24, 32) and (16, 24, 32) (z, y, x)"


def test_what_is_not_known_is_not_compared() -> None:
    assert difference(image(None), image(BASE)) is None
    assert difference(image(None), image(None)) is None
    words = difference(image(None, (24, 16, 32)), image(BASE))
    assert words == "(24, 16, 32) and (16, 24, 32) (z, y, x), the same lengths in another order"


def test_the_corners_decide_whether_grids_agree() -> None:
    assert difference(image(moved(BASE, 0.4, 0, 0)), image(BASE)) is None  # of voxels of 1 mm
    assert difference(image(moved(BASE, 0.6, 0, 0)), image(BASE)) is not None
    assert difference(image(moved(BASE, 0.1, 0, 0)), image(BASE), tolerance_mm=1e-2) is not None
    small = moved(
        rotated(spaced(BASE, 1.015, 1, 1), 0.9), 0.3, 0.3, 0
    )  # each less than a half voxel, not together
    assert difference(image(small), image(BASE)) is not None


def test_the_direction_through_a_single_plane_says_nothing() -> None:
    plane = (1, 24, 32)
    thick = BASE @ np.diag([1, 1, -5.0, 1])
    assert difference(image(thick, plane), image(BASE, plane)) is None
    words = difference(image(moved(thick, 0, 0, 50), plane), image(BASE, plane))
    assert words == "moved by 50 mm, (0, 0, 50) to the left, back and head"


def test_a_sheared_grid() -> None:
    sheared = BASE.copy()
    sheared[0, 2] = 1.0
    words = difference(image(sheared), image(BASE))
    assert words is not None and "sheared" in words


def photograph(tag: int | None, shape: tuple[int, int, int]) -> Image:
    return image(None, shape, **({} if tag is None else {EXIF_ORIENTATION: tag}))


@pytest.mark.parametrize(
    ("tag", "shape", "own", "fits"),
    [
        (None, (1, 8, 12), None, True),
        (1, (1, 8, 12), None, True),
        (6, (1, 12, 8), None, True),  # its shape says that it was drawn on the picture as seen
        (6, (1, 8, 8), None, False),  # a square tells nothing
        (6, (1, 8, 8), 1, True),
        (3, (1, 8, 12), None, False),
        (3, (1, 8, 12), 1, True),
        (3, (1, 8, 12), 3, True),
        (2, (1, 8, 12), None, False),
        (None, (1, 8, 12), 3, False),
        (1, (1, 8, 12), 3, True),
    ],
)
def test_a_mask_of_a_turned_photograph(
    tag: int | None, shape: tuple[int, int, int], own: int | None, fits: bool
) -> None:
    fault = mask_fault(photograph(tag, shape), photograph(own, shape))
    assert (fault is None) == fits
    if fault is not None:
        assert f"EXIF orientation {tag or own}" in fault and "auto-orient" in fault


def test_a_mask_drawn_on_the_pixels_as_stored_is_told_of_exif() -> None:
    fault = mask_fault(photograph(6, (1, 12, 8)), photograph(None, (1, 8, 12)))
    assert fault is not None and fault.startswith("another shape than its image: (1, 8, 12) and (1, 12, 8)")
    assert "EXIF orientation 6" in fault
