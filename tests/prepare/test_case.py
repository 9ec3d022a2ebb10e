"""A case made ready: its channels, its mask, and its own pixels left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vesalius.core.case import Case
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Image, Source
from vesalius.core.plan import DataPlan, Normalisation
from vesalius.prepare.case import frame, prepare, prepare_mask

PLAN = DataPlan(
    dims=3,
    channels=1,
    sampling="patches",
    size=(4, 4, 4),
    normalise=(Normalisation(method="fixed", mean=10.0, sd=2.0),),
)
TWO = PLAN.model_copy(
    update={"images": ("t1", "t2"), "channels": 2, "normalise": (Normalisation(method="zscore"),) * 2}
)


def case(dtype: str = "float32", **more: object) -> Case:
    pixels = np.random.default_rng(0).normal(10, 2, size=(1, 4, 5, 6)).astype(dtype)
    return Case("a", {"image": Image(pixels, affine=np.eye(4))}, **more)  # type: ignore[arg-type]


def test_the_callers_pixels_are_left_alone() -> None:
    for dtype in ("float32", "int16", "float64"):
        one = case(dtype)
        image = one.images["image"]
        assert isinstance(image, Image)
        before = image.array.copy()
        first = prepare(one, PLAN).array
        assert np.array_equal(image.array, before), "prepared in the caller's own memory"
        assert np.array_equal(prepare(one, PLAN).array, first)
        assert np.allclose(first, (before.astype(np.float32) - 10) / 2, atol=1e-5)


def test_an_error_names_the_case() -> None:
    with pytest.raises(GeometryError, match="case a: "):
        bare = Case("a", {"image": Image(np.zeros((1, 4, 4, 4)))})
        prepare(bare, PLAN.model_copy(update={"spacing_mm": (1.0, 1.0, 1.0)}))
    with pytest.raises(DataError, match="no image 'image'"):
        prepare(Case("a", {}), PLAN)
    with pytest.raises(DataError, match="single pictures"):
        prepare(case(), PLAN.model_copy(update={"dims": 2, "sampling": "whole", "size": (1, 8, 8)}))
    with pytest.raises(DataError, match="case a: an image with a time axis"):
        prepare(Case("a", {"image": Image(np.zeros((2, 1, 4, 4, 4)), times_s=(0.0, 1.0))}), PLAN)


def test_two_images_are_stacked_only_where_they_belong_together() -> None:
    t1 = Image(np.random.default_rng(1).normal(size=(1, 4, 5, 6)), affine=np.eye(4))
    t2 = Image(np.random.default_rng(2).normal(size=(1, 4, 5, 6)), affine=np.eye(4))
    both = Case("a", {"t2": t2, "t1": t1}, reference="t1")
    found = prepare(both, TWO).array
    want = [(i.array[0] - i.array.mean()) / i.array.std() for i in (t1, t2)]
    assert np.allclose(found, np.stack(want), atol=1e-5)
    moved = np.eye(4)
    moved[0, 3] = 1.0
    other = Case("a", {"t2": replace(t2, affine=moved), "t1": t1}, reference="t1")
    with pytest.raises(GeometryError, match="another grid.*moved by 1 mm"):
        prepare(other, TWO)
    assert prepare(replace(other, registered=True), TWO).array.shape == (2, 4, 5, 6)
    frame = Source(frame_of_reference_uid="1.2.3")
    shared = {"t1": replace(t1, source=frame), "t2": replace(t2, affine=moved, source=frame)}
    assert prepare(Case("a", shared, reference="t1"), TWO).array.shape == (2, 4, 5, 6)


@pytest.mark.parametrize("kind", ["uint8", "bool", "int16", "uint16"])
def test_a_mask_is_padded_with_not_known_whatever_its_type(kind: str) -> None:
    one = case()
    reference = one.images["image"]
    assert isinstance(reference, Image)
    prepared = prepare(one, PLAN.model_copy(update={"size": (8, 8, 8)}))
    mask = Image(np.ones((1, 4, 5, 6), dtype=kind), affine=np.eye(4))
    labels = prepare_mask(mask, reference, prepared.undo)
    assert labels.shape == (8, 8, 8)
    assert (labels == 1).sum() == 4 * 5 * 6 and (labels == -1).sum() == 8**3 - 4 * 5 * 6


def test_a_mask_on_another_grid_is_refused() -> None:
    one = case()
    reference = one.images["image"]
    assert isinstance(reference, Image)
    with pytest.raises(GeometryError, match="case a: the mask contradicts"):
        undo = prepare(one, PLAN).undo
        prepare_mask(Image(np.ones((1, 4, 5, 5), dtype=np.uint8)), reference, undo, case_id="a")


def test_a_mask_is_held_to_the_rule_that_checked_it() -> None:
    """Half a voxel off is the mask's own rounding, in training as in the check before it; more is said in words."""
    one = case()
    reference = one.images["image"]
    assert isinstance(reference, Image)
    undo, near, far = prepare(one, PLAN).undo, np.eye(4), np.eye(4)
    near[0, 3], far[0, 3] = 0.3, 50
    mask = Image(np.ones((1, 4, 5, 6), np.uint8), affine=near)
    assert prepare_mask(mask, reference, undo).max() == 1
    with pytest.raises(GeometryError, match=r"moved by 50 mm, \(50, 0, 0\)"):
        prepare_mask(replace(mask, affine=far), reference, undo)


def test_what_is_stored_white_for_nothing_is_inverted_unless_it_has_a_unit() -> None:
    array = np.array([0, 100, 4095], np.uint16).reshape(1, 1, 1, 3)
    shown = {"photometric": "MONOCHROME1", "range": (0.0, 4095.0)}
    film = Image(array=array, display=shown)
    assert frame(film).ravel().tolist() == [4095, 3995, 0] and frame(film).dtype == np.uint16
    assert film.array.ravel().tolist() == [0, 100, 4095]
    assert frame(replace(film, unit="SUVbw")) is array
    assert frame(Image(array=array, display={"photometric": "MONOCHROME2"})) is array
