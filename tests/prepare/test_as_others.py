"""Images prepared as other tools do it: what is not zero, splines, axes, grids; against scikit-image and by hand."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from skimage.transform import resize

from vesalius.core.case import Case
from vesalius.core.errors import PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import DataPlan, ResamplePlan
from vesalius.prepare import geometry
from vesalius.prepare.body import body_of, box_of
from vesalius.prepare.case import prepare
from vesalius.prepare.splines import resized

ZSCORE = {"method": "zscore"}


def plan_of(**more: Any) -> DataPlan:
    usual = {"dims": 3, "channels": 1, "sampling": "patches", "size": (4, 4, 4), "normalise": [ZSCORE]}
    return DataPlan.model_validate({**usual, **more})


def framed(spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Image:
    """An image whose middle holds values, with a hole of zeros in it, and zeros around it."""
    array = np.zeros((1, 8, 9, 10), np.float32)
    array[0, 2:7, 1:8, 3:9] = np.random.default_rng(0).normal(100, 20, (5, 7, 6))
    array[0, 4, 4, 5] = 0
    return Image(array, spacing_mm=spacing)


def test_the_body_is_what_is_not_zero_in_some_channel_with_its_holes_filled() -> None:
    array = np.zeros((2, 6, 6, 6))
    array[0, 1:4, 1:4, 1:4] = 1
    array[0, 2, 2, 2] = 0  # a hole
    array[1, 4, 5, 1] = -3
    body = body_of(array)
    assert body.sum() == 27 + 1 and body[2, 2, 2]
    assert box_of(body) == ((1, 1, 1), (4, 5, 3))
    assert box_of(np.zeros((3, 4, 5), bool)) == ((0, 0, 0), (3, 4, 5))


def test_what_is_cut_off_comes_back_as_nothing() -> None:
    image = framed()
    prepared = prepare(Case("a", {"image": image}, reference="image"), plan_of(nonzero=True))
    undo = prepared.undo
    assert undo.low == (2, 1, 3) and undo.cut == (5, 7, 6) and prepared.array.shape == (1, 5, 7, 6)
    back = geometry.backward(np.ones((1, 5, 7, 6), np.float32), undo)
    inside = np.zeros((8, 9, 10), bool)
    inside[2:7, 1:8, 3:9] = True
    assert np.array_equal(back[0] == 1, inside) and (back[0][~inside] == 0).all()
    points = np.array([[2.5, 1.5, 3.5], [6.5, 7.5, 8.5]])
    assert geometry.forward_points(points, undo) == pytest.approx(points - [2, 1, 3])
    assert geometry.backward_points(geometry.forward_points(points, undo), undo) == pytest.approx(points)


def test_values_are_measured_inside_and_before_they_are_resampled() -> None:
    image = framed()
    plan = plan_of(
        nonzero=True,
        normalise_first=True,
        normalise=[{**ZSCORE, "masked": True}],
        spacing_mm=(2.0, 1.0, 1.0),
        size=(1, 1, 1),
        resample={"order": 1, "apart": None},
    )
    found = prepare(Case("a", {"image": image}, reference="image"), plan).array[0]
    part = image.array[0, 2:7, 1:8, 3:9].astype(np.float64)
    whole = (part - part.mean()) / part.std()  # the hole is filled, so that all of the box counts
    assert found == pytest.approx(resize(whole, (5, 7, 3), 1, mode="edge", anti_aliasing=False), abs=1e-5)


def test_a_normalisation_inside_of_a_body_that_is_not_looked_for_is_refused() -> None:
    with pytest.raises((PlanError, ValueError), match="masked"):
        plan_of(normalise=[{**ZSCORE, "masked": True}])


@pytest.mark.parametrize("apart", [None, 0, 2])
def test_splines_are_those_of_scikit_image_and_the_coarse_axis_by_itself(apart: int | None) -> None:
    array = np.random.default_rng(1).normal(size=(1, 5, 9, 8)).astype(np.float32)
    shape = (8, 7, 11)
    found = resized(array, shape, ResamplePlan(order=3), apart=apart)[0]
    if apart is None:
        wanted = resize(array[0].astype(float), shape, 3, mode="edge", anti_aliasing=False)
    else:
        planes = np.moveaxis(array[0].astype(float), apart, 0)
        flat = tuple(n for k, n in enumerate(shape) if k != apart)
        made = np.stack([resize(p, flat, 3, mode="edge", anti_aliasing=False) for p in planes])
        centre = (np.arange(shape[apart]) + 0.5) * len(made) / shape[apart] - 0.5
        grid = np.meshgrid(centre, *(np.arange(n) for n in flat), indexing="ij")
        wanted = np.moveaxis(map_coordinates(made, grid, order=0, mode="nearest"), 0, apart)
    assert found == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("spacing", "planned", "axis"),
    [
        ((1.0, 1.0, 5.0), (1.0, 1.0, 1.0), 0),
        ((1.0, 1.0, 1.0), (4.0, 1.0, 1.0), 2),
        ((1.0, 1.0, 3.0), (1.0, 1.0, 1.0), None),
        ((0.2, 1.0, 1.0), (1.0, 1.0, 1.0), None),
    ],
)
def test_which_axis_is_resampled_by_itself(
    spacing: tuple[float, float, float], planned: tuple[float, float, float], axis: int | None
) -> None:
    assert geometry.coarse_axis(spacing, planned, ResamplePlan()) == axis


AFFINES = {
    "ras": np.diag([1.0, 2.0, 3.0, 1.0]),
    "lps": np.diag([-1.0, -2.0, 3.0, 1.0]),
    "turned": np.array([[0, 0, 3.0, 0], [-2.0, 0, 0, 4], [0, 1.5, 0, 0], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize("name", AFFINES)
@pytest.mark.parametrize("axes", ["RAS", "LPS", "SAL", "xyz"])
def test_axes_run_where_nibabel_lets_them(name: str, axes: str) -> None:
    pixels = np.random.default_rng(2).normal(size=(4, 5, 6)).astype(np.float32)  # x, y, z
    affine = AFFINES[name]
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    image = Image(np.ascontiguousarray(pixels.transpose(2, 1, 0))[None], affine=lps)
    found: Array = prepare(
        Case("a", {"image": image}, reference="image"),
        plan_of(axes=axes, normalise=[{"method": "fixed", "mean": 0.0, "sd": 1.0}], size=(1, 1, 1)),
    ).array[0]
    wanted = pixels
    if axes != "xyz":
        own = nib.orientations.io_orientation(affine)
        target = nib.orientations.axcodes2ornt(tuple(axes))
        wanted = nib.orientations.apply_orientation(pixels, nib.orientations.ornt_transform(own, target))
    assert np.array_equal(found, wanted)
    field = np.asarray(found)[None]
    order, flips = geometry.oriented(lps, axes)
    assert np.array_equal(geometry.turn_back(field, order, flips)[0], image.array[0])


@pytest.mark.parametrize("axes", ["RAR", "XYZ", "RA", "RASL", "LRS"])
def test_axes_that_are_none_are_refused(axes: str) -> None:
    with pytest.raises(ValueError, match="axes"):
        plan_of(axes=axes)
