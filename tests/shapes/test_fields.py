"""Maps of a mask: thickness of sheets, shells and balls that is known, and volumes of pieces counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vesalius import formats
from vesalius.answers import contract
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Image
from vesalius.shapes.fields import thickness_map, volume_map


def mask(array: Any, spacing: tuple[float, ...] = (1.0, 1.0, 1.0), labels: Any = None) -> Mask:
    """Return a mask of an array `(Z, Y, X)`; `spacing` is `(x, y, z)`."""
    known = labels or tuple(Label(int(v), f"label {v}") for v in np.unique(array) if v)
    return Mask(image=Image(np.asarray(array, np.uint8)[None], affine=np.diag([*spacing, 1.0])), labels=known)


@pytest.mark.parametrize(("wide", "axis"), [(1, 0), (2, 0), (3, 1), (4, 2), (5, 2)])
def test_a_sheet_is_as_thick_as_it_is_with_any_number_of_voxels(wide: int, axis: int) -> None:
    spacing = (0.7, 1.0, 2.0)  # x, y, z
    array = np.zeros((16, 18, 18), np.uint8)
    place: list[Any] = [slice(1, -1)] * 3
    place[axis] = slice(6, 6 + wide)
    array[tuple(place)] = 1
    found = thickness_map(mask(array, spacing))
    true = wide * spacing[2 - axis]
    field = found.image.array[0]
    assert np.isnan(field[array == 0]).all() and found.unit == "mm"
    inner: list[Any] = [slice(5, -5)] * 3
    inner[axis] = place[axis]
    assert np.median(field[tuple(inner)]) == pytest.approx(true, rel=0.02)


def test_a_ball_is_as_thick_everywhere_as_it_is_wide_and_a_shell_as_its_wall() -> None:
    z, y, x = np.meshgrid(*(np.arange(31) - 15.0,) * 3, indexing="ij")
    far = np.sqrt(x**2 + y**2 + z**2)
    ball = thickness_map(mask(far < 10)).image.array[0]
    assert np.nanmin(ball) > 12 and np.nanmax(ball) == pytest.approx(20, abs=1)
    assert np.nanmedian(ball) == pytest.approx(20, abs=1)
    shell = thickness_map(mask((far < 13) & (far > 9)))
    assert shell.figures["median"] == pytest.approx(4, abs=0.6)
    assert shell.figures["mean"] == pytest.approx(4, abs=0.6) and "mm" in shell.facts["step"]


@pytest.mark.parametrize("normal", [(0, 1, 1), (1, 1, 1), (1, 2, 0)])
def test_an_oblique_sheet_is_as_thick_as_it_is_but_for_a_part_of_a_voxel(normal: tuple[int, ...]) -> None:
    z, y, x = np.meshgrid(*(np.arange(29) - 14.0,) * 3, indexing="ij")
    along = np.array(normal) / np.linalg.norm(normal)
    off = along[0] * z + along[1] * y + along[2] * x + 0.13
    field = thickness_map(mask(np.abs(off) < 3)).image.array[0]
    middle = (np.abs(z) < 6) & (np.abs(y) < 6) & (np.abs(x) < 6)
    assert np.nanmedian(field[middle]) == pytest.approx(6, abs=0.6)


def test_labels_are_taken_by_themselves_and_one_can_be_named() -> None:
    array = np.zeros((12, 12, 20), np.uint8)
    array[:, :, 4:8], array[:, :, 8:10] = 1, 2  # side by side: together they would be six wide
    both = thickness_map(mask(array)).image.array[0]
    assert np.nanmax(both[array == 1]) == pytest.approx(4, rel=0.02)
    assert np.nanmax(both[array == 2]) == pytest.approx(2, rel=0.02)
    lone = thickness_map(mask(array), "label 2").image.array[0]
    assert np.isnan(lone[array == 1]).all() and np.nanmax(lone) == pytest.approx(2, rel=0.02)


def test_each_voxel_has_its_pieces_volume() -> None:
    array = np.zeros((8, 8, 8), np.uint8)
    array[1:3, 1:3, 1:3] = 1
    array[5:8, 5:8, 5:8] = 1
    array[3, 3, 3] = 2
    found = volume_map(mask(array, (2.0, 2.0, 2.5)))
    field = found.image.array[0]
    assert field[1, 1, 1] == pytest.approx(8 * 0.01) and field[6, 6, 6] == pytest.approx(27 * 0.01)
    assert field[3, 3, 3] == pytest.approx(0.01) and np.isnan(field[0, 0, 0])
    assert found.unit == "ml" and found.facts["pieces"] == "3"


def test_they_are_written_and_said_as_other_maps_are(tmp_path: Path) -> None:
    array = np.zeros((8, 8, 8), np.uint8)
    array[2:6, 2:6, 2:6] = 1
    found = thickness_map(mask(array, (1.0, 1.0, 1.5)))
    back = formats.read(formats.write(found, tmp_path / "thickness.nii.gz"))
    np.testing.assert_allclose(back.array, found.image.array)
    assert (
        "thickness" in contract.of(found).lines(found)[0].name
        and "mm" in contract.of(found).lines(found)[0].text
    )


def test_what_cannot_be_measured_is_one_error() -> None:
    array = np.zeros((6, 6, 6), np.uint8)
    with pytest.raises(DataError, match="nothing to be measured"):
        thickness_map(mask(array, labels=(Label(1, "liver"),)))
    with pytest.raises(DataError, match="no label 'spleen'"):
        thickness_map(mask(array + 1), "spleen")
    with pytest.raises(GeometryError, match="how large"):
        thickness_map(Mask(image=Image(array[None] + 1), labels=(Label(1, "liver"),)))
    several = Mask(
        image=Image(np.ones((2, 6, 6, 6), np.uint8), affine=np.eye(4)),
        labels=(Label(1, "liver"), Label(2, "lesion")),
        overlapping=True,
    )
    with pytest.raises(DataError, match="overlap"):
        volume_map(several)
    assert np.nanmax(volume_map(several, "lesion").image.array) == pytest.approx(0.216)
