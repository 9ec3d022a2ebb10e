"""Images: what contradicts itself is refused, and nothing is guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vesalius.core.errors import GeometryError
from vesalius.core.image import Image

PIXELS = np.zeros((1, 3, 4, 5), dtype=np.int16)


@pytest.mark.parametrize(
    "wrong",
    [
        {"array": np.zeros((4, 5))},
        {"array": np.zeros((2, 1, 3, 4, 5))},
        {"array": PIXELS, "times_s": (0.0,)},
        {"array": np.zeros((2, 1, 3, 4, 5)), "times_s": (0.0,)},
        {"array": np.zeros((1, 0, 4, 5))},
        {"array": PIXELS, "affine": np.eye(3)},
        {"array": PIXELS, "affine": np.diag([1.0, 0.0, 1.0, 1.0])},
        {"array": PIXELS, "affine": np.diag([1.0, np.nan, 1.0, 1.0])},
        {"array": PIXELS, "spacing_mm": (1.0, -1.0, 1.0)},
        {"array": PIXELS, "spacing_mm": (1.0, float("inf"), 1.0)},
    ],
)
def test_what_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(GeometryError) as caught:
        Image(**wrong)
    assert caught.value.found


def test_spacing_is_the_length_of_the_affines_columns() -> None:
    # x runs by (0, 3, 4) mm a voxel, of length 5; y by 2 along z; z by -1.5 along x
    affine = np.array([[0, 0, -1.5, 9], [3, 0, 0, 8], [4, 2, 0, 7], [0, 0, 0, 1]], dtype=float)
    image = Image(PIXELS, affine=affine, spacing_mm=(9.0, 9.0, 9.0))
    assert image.spacing_mm == pytest.approx((5.0, 2.0, 1.5)) and image.spacing_at == "patient"
    assert image.shape == (3, 4, 5) and not image.is_2d


def test_three_states_of_geometry() -> None:
    bare, spaced = Image(PIXELS), Image(PIXELS, spacing_mm=(1, 1, 2), spacing_at="detector")
    assert (bare.affine, bare.spacing_mm, bare.spacing_at) == (None, None, None)
    assert (spaced.affine, spaced.spacing_mm, spaced.spacing_at) == (None, (1, 1, 2), "detector")


def test_time_comes_first() -> None:
    image = Image(np.zeros((2, 1, 3, 4, 5)), times_s=(0.0, 1.5))
    assert image.shape == (3, 4, 5)


def test_an_affine_given_as_a_list_becomes_float64_and_the_image_stays_frozen() -> None:
    image = Image(PIXELS, affine=np.eye(4, dtype=np.float32))
    assert image.affine is not None and image.affine.dtype == np.float64
    with pytest.raises(AttributeError):
        image.unit = "HU"  # type: ignore[misc]
