"""A case made ready: its channels, its mask, and its own pixels left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vesalius.core.case import Case
from vesalius.core.errors import DataError, GeometryError, MismatchError
from vesalius.core.image import Image, Source
from vesalius.core.plan import DataPlan, Normalisation
from vesalius.prepare.case import Takes, frame, prepare, prepare_mask, with_reference

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


def test_images_are_matched_by_name_and_never_by_order() -> None:
    t1 = Image(np.random.default_rng(1).normal(size=(1, 4, 5, 6)), affine=np.eye(4))
    t2 = Image(np.random.default_rng(2).normal(size=(1, 4, 5, 6)), affine=np.eye(4))
    want = prepare(Case("a", {"t1": t1, "t2": t2}, reference="t1"), TWO).array
    turned = Case("a", {"T2w": t2, "T1-w": t1}, reference="T2w")
    assert np.array_equal(prepare(turned, TWO).array, want), "the same names in another order and spelling"
    numbered = Case("a", {"channel 0": t1, "channel 1": t2}, reference="channel 0")
    with pytest.raises(
        MismatchError, match=r"case a: no image 't1'; found 'channel 0', 'channel 1', learned from 't1'"
    ):
        prepare(numbered, TWO)
    with pytest.raises(MismatchError, match="no image 't1'"):
        prepare(Case("a", {"image": t1}), TWO)


def test_of_several_images_a_plan_of_one_takes_none_that_it_cannot_name() -> None:
    one = Image(np.ones((1, 4, 5, 6)), affine=np.eye(4))
    both = Case("a", {"flair": replace(one, array=one.array * 12), "t1": one}, reference="t1")
    with pytest.raises(
        MismatchError, match="several images, and nothing says which is meant; found 'flair', 't1'"
    ):
        prepare(both, PLAN)
    named = PLAN.model_copy(update={"channel_names": ("FLAIR",)})
    assert np.allclose(prepare(both, named).array, 1.0), "(12 - 10) / 2: the one that was learned from"
    assert np.allclose(prepare(both, PLAN.model_copy(update={"images": ("flair",)})).array, 1.0)
    with pytest.raises(
        MismatchError, match="another image than was learned from; found 't1', learned from 'flair'"
    ):
        lone = Case("a", {"t1": one}, reference="t1")
        prepare(lone, PLAN.model_copy(update={"images": ("flair",)}))


def test_what_the_author_declares_names_the_channels() -> None:
    four = Image(np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1) * np.ones((4, 4, 5, 6), np.float32))
    names = ("FLAIR", "T1w", "t1gd", "T2w")
    plan = PLAN.model_copy(update={"channels": 4, "channel_names": names, "normalise": PLAN.normalise * 4})
    turned = Case("a", {"image": four}, declared=("T2", "T1", "T1c", "FLAIR"))
    assert prepare(turned, plan).array[:, 1, 1, 1].tolist() == [-3.5, -4.5, -4.0, -5.0]
    with pytest.raises(MismatchError, match="ADC"):
        prepare(Case("a", {"image": four}, declared=("ADC", "T1", "T1c", "FLAIR")), plan)
    scan = replace(four, array=four.array[:1])
    flair = PLAN.model_copy(update={"channel_names": ("FLAIR",)})
    with pytest.raises(MismatchError, match=r"found 1 channel \(T2\), learned from 1 channel \(FLAIR\)"):
        prepare(Case("a", {"image": scan}, declared=("T2",)), flair)
    prepare(Case("a", {"image": scan}, declared=("MRI",)), flair)  # a modality, which is compared as such


def test_plans_of_before_turn_grey_into_colours_where_they_were_of_pictures() -> None:
    grey = Case("a", {"image": Image(np.full((1, 1, 4, 4), 51, np.uint8))})
    eight = Normalisation(method="fixed", low=0.0, high=255.0, mean=0.0, sd=51.0)
    old = PLAN.model_copy(update={"dims": 2, "size": (1, 4, 4), "channels": 3, "normalise": (eight,) * 3})
    assert np.allclose(prepare(grey, old).array, 1.0) and prepare(grey, old).array.shape == (3, 1, 4, 4)
    with pytest.raises(MismatchError, match="1 channel, learned from 3 channels"):
        prepare(grey, old.model_copy(update={"normalise": (Normalisation(method="zscore"),) * 3}))


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


def test_frames_are_prepared_alike_and_normalised_as_one() -> None:
    pixels = np.random.default_rng(0).normal(10, 2, size=(3, 1, 4, 5, 6)).astype(np.float32)
    cine = Case("a", {"image": Image(pixels, affine=np.eye(4), times_s=(0.0, 0.5, 2.0))})
    plan = PLAN.model_copy(update={"normalise": (Normalisation(method="zscore"),)})
    made = prepare(cine, plan, takes=Takes(time=True))
    assert made.array.shape == (3, 1, 4, 5, 6)
    assert np.allclose(made.array, (pixels - pixels.mean()) / pixels.std(), atol=1e-4)
    assert made.frame_times_s is not None and made.frame_times_s.tolist() == [0.0, 0.5, 2.0]
    still = prepare(case(), plan, takes=Takes(time=True))
    assert still.array.shape == (1, 1, 4, 5, 6) and np.array_equal(
        still.array[0], prepare(case(), plan).array
    )
    assert prepare(case(), plan).frame_times_s is None


def test_a_planned_image_that_a_case_lacks_is_zero_and_said_where_a_task_takes_that() -> None:
    t1 = Image(np.random.default_rng(1).normal(size=(1, 4, 5, 6)), affine=np.eye(4))
    lone = Case("a", {"t2": t1}, reference="t2")
    with pytest.raises(MismatchError, match="no image 't1'"):
        prepare(lone, TWO)
    made = prepare(lone, TWO, takes=Takes(incomplete=True))
    assert made.present == {"t1": False, "t2": True}
    assert not made.array[0].any() and np.isclose(made.array[1].std(), 1, atol=1e-4)
    with pytest.raises(MismatchError):
        prepare(Case("a", {"pet": t1}, reference="pet"), TWO, takes=Takes(incomplete=True))


def test_an_image_of_its_own_size_has_a_grid_of_its_own() -> None:
    t1 = Image(np.random.default_rng(1).normal(size=(1, 4, 5, 6)), affine=np.eye(4))
    scout = Image(
        np.random.default_rng(2).normal(size=(1, 2, 3, 3))
    )  # lies nowhere: it need not be registered
    both = Case("a", {"t1": t1, "t2": scout}, reference="t1")
    with pytest.raises(GeometryError):
        prepare(both, TWO)
    made = prepare(both, TWO, takes=Takes(sizes={"t2": (2, 8, 8)}))
    assert {n: a.shape for n, a in made.images.items()} == {"image": (1, 4, 5, 6), "t2": (1, 2, 8, 8)}
    alone = prepare(
        Case("b", {"t1": t1}, reference="t1"), PLAN.model_copy(update={"normalise": TWO.normalise[:1]})
    )
    assert np.array_equal(made.array, alone.array)
    assert made.undos["t2"].native == (2, 3, 3) and made.undo.native == (4, 5, 6)


def test_a_reference_is_read_once() -> None:
    one = case()
    assert with_reference(one) is one
    assert with_reference(Case("a", {}, reference=None)).images == {}


def test_images_under_one_role_come_in_their_numbers_order() -> None:
    image = case().images["image"]
    many = Case("a", {f"view#{k}": image for k in (10, 2, 1)} | {"viewer#1": image}, reference="view#1")
    assert many.of_role("view") == ("view#1", "view#2", "view#10") and many.of_role("image") == ()
    assert case().of_role("image") == ("image",)
