"""Outlines keep what they promise, whatever a model says: here one that says where the image is bright."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from vesalius.core.errors import DataError
from vesalius.core.guidance import Stroke
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan
from vesalius.infer import regions
from vesalius.infer.outline import Outline
from vesalius.infer.runs.contract import Members
from vesalius.prepare import geometry


class Bright:
    """Says that an object is where the image is bright; keeps what it was shown."""

    name = "bright"

    def __init__(self) -> None:
        self.asked: list[torch.Tensor] = []

    def infer(self, model: Any, batch: Any, generator: Any) -> torch.Tensor:
        self.asked.append(batch.images["guidance"][0])
        v = batch.images["image"][:, :1] - 0.5
        return torch.cat([-v, v], dim=1)


def outline_of(
    array: np.ndarray,
    *,
    size: tuple[int, int, int],
    affine: np.ndarray | None = None,
    spacing: tuple[float, float, float] | None = None,
) -> tuple[Outline, Bright]:
    image = Image(array[None].astype(np.float32), affine=affine)
    undo = geometry.layout(image, canonical=True, spacing_mm=spacing, size=size, whole=False)
    prepared = geometry.forward(image.array, undo)
    data = DataPlan(
        images=("image",),
        channels=1,
        dims=2 if size[0] == 1 else 3,
        sampling="patches",
        size=size,
        spacing_mm=spacing,
        normalise=(Normalisation(method="fixed", mean=0, sd=1),),
    )
    plan = Plan(
        task=TaskPlan(name="interact"),
        data=data,
        net=NetPlan(name="unet"),
        loss=LossPlan(name="dice-ce"),
        train=TrainPlan(steps=1, batch=1),
    )
    task = Bright()
    model = torch.nn.Identity().eval()
    members = Members(task, [model], plan, torch.device("cpu"))  # type: ignore[arg-type]
    return Outline(members, prepared, undo), task


def point(z: float, y: float, x: float, *, adds: bool = True) -> Stroke:
    return Stroke("point", ((z, y, x),), adds)


def two_boxes() -> np.ndarray:
    array = np.zeros((12, 30, 40))
    array[3:7, 5:12, 4:14] = 1
    array[4:9, 20:27, 28:38] = 1
    return array


ODD = np.array([[0, 0, -1.5, 30.0], [0.8, 0, 0, -9], [0, -0.8, 0, 44], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("affine", [None, np.diag([1.0, 1, 1, 1]), ODD])
def test_a_click_finds_its_object_alone_on_any_axes_and_undo_is_exact(affine):
    array = two_boxes()
    spacing = None if affine is None else tuple(np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))
    if affine is ODD:
        spacing = (1.5, 0.8, 0.8)  # what is x is z in the file: the same voxels, on other axes
    outline, _ = outline_of(array, size=(16, 32, 32), affine=affine, spacing=spacing)
    outline.add(point(5, 8, 8))
    first = outline.mask.copy()
    assert np.array_equal(first[:, :15], array[:, :15] > 0) and not first[:, 15:].any()
    outline.add(point(6, 23, 33))
    assert np.array_equal(outline.mask, array > 0)
    outline.undo()
    assert np.array_equal(outline.mask, first)
    outline.undo()
    assert not outline.mask.any()
    with pytest.raises(DataError, match="no stroke to undo"):
        outline.undo()


def test_what_was_shown_holds_whatever_the_model_says():
    outline, _ = outline_of(two_boxes(), size=(16, 32, 32))
    outline.add(point(0, 0, 39))  # dark, in a corner of the image
    assert outline.mask.sum() == 1 and outline.mask[0, 0, 39]
    outline.add(point(5, 8, 8))
    outline.add(point(5, 8, 9, adds=False))
    assert not outline.mask[5, 8, 9] and outline.mask[0, 0, 39] and outline.mask[5, 8, 8]
    outline.add(Stroke("scribble", ((5, 8, 9), (5, 8, 12))))
    assert outline.mask[5, 8, 9:13].all()
    outline.add(Stroke("box", ((5, 6, 6), (5, 9, 10)), adds=False))
    assert not outline.mask[5, 6:10, 6:11].any() and outline.mask[5, 10, 8]
    for _ in range(5):
        outline.undo()
    assert not outline.mask.any()


def test_a_stroke_that_removes_adds_nothing_and_changes_nothing_far_away():
    outline, _ = outline_of(two_boxes(), size=(16, 32, 32))
    proposal = np.zeros((12, 30, 40), bool)
    proposal[3:7, 5:12, 4:10] = True  # a half of the first object
    proposal[0:2, 0:3, 36:40] = True  # and something wrong, far away
    outline.begin(proposal)
    outline.add(point(1, 28, 2, adds=False))  # outside of everything
    assert np.array_equal(outline.mask, proposal)
    outline.add(point(5, 8, 12))  # what is missing is added, what is wrong far away stays
    assert outline.mask[5, 8, 13] and outline.mask[0, 0, 39] and not outline.mask[5, 23, 33]
    with pytest.raises(DataError, match="another grid"):
        outline.begin(proposal[1:])


def test_a_stroke_outside_of_the_image_or_from_nothing_changes_nothing():
    outline, _ = outline_of(two_boxes(), size=(16, 32, 32))
    for wrong in (point(12, 0, 0), point(0, -1, 0), point(1, 1, 1, adds=False)):
        with pytest.raises(DataError):
            outline.add(wrong)
    assert outline.strokes == () and not outline.mask.any()


def test_a_box_across_slices_holds_its_object_and_a_model_of_pictures_answers_each_slice():
    array = two_boxes()
    for size in ((16, 32, 32), (1, 32, 48)):
        outline, task = outline_of(array, size=size)
        outline.add(Stroke("box", ((4, 4, 3), (6, 13, 15))))
        found = outline.mask
        assert found[4:7, 5:12, 4:14].all() and not found[:, 15:].any()
        if size[0] == 1:
            assert not found[3].any() and len(task.asked) == 3
            assert all(int(one[2].sum()) == 10 * 13 for one in task.asked)


def test_a_large_object_is_seen_at_a_coarser_step_until_it_fits():
    array = np.zeros((1, 120, 200))
    array[0, 20:100, 30:170] = 1
    outline, task = outline_of(array, size=(1, 64, 64))
    outline.add(point(0, 60, 100))
    assert 2 < len(task.asked) <= 5
    wrong = outline.mask ^ (array > 0)
    assert wrong.sum() < 0.05 * array.sum()  # a coarser step blurs the edge alone
    before = len(task.asked)
    outline.add(point(0, 20, 30))  # a correction is made at full resolution, where it is shown
    assert len(task.asked) == before + 1
    assert not (outline.mask ^ (array > 0))[0, 10:40, 20:50].any()


def test_spots_and_boxes_lie_where_they_were_shown_at_an_anisotropic_spacing():
    array = np.zeros((8, 40, 40))
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    outline, task = outline_of(array, size=(8, 32, 32), affine=affine, spacing=(1.0, 1.0, 5.0))
    outline.add(point(4, 20, 20))
    spots = task.asked[0][0].numpy()
    assert spots.max() == 1 and np.argwhere(spots == 1).tolist() == [[4, 15, 15]]
    assert (spots[4] > 0).sum() > 9 and not spots[3].any()  # five voxels of a plane are one across planes


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 2.0, 3.0), (0.7, 0.7, 1.0)])
def test_a_mask_goes_to_a_region_and_back(spacing):
    rng = np.random.default_rng(0)
    image = Image(np.zeros((1, 20, 40, 50), np.float32), affine=np.diag([1.0, -1.0, 2.0, 1.0]))
    undo = geometry.layout(image, canonical=True, spacing_mm=spacing, size=(8, 16, 16), whole=False)
    mask = np.zeros(image.shape, bool)
    mask[4:14, 8:30, 10:36] = True
    seen = geometry.seen(mask, undo)
    low, high = np.array([0.0, 0, 0]), np.array(undo.shape, float)
    region = regions.around(low, high, undo.shape, undo.shape, 1.0)
    field = regions.from_native(seen, region, undo)
    where = regions.window(region, undo)
    back = regions.to_native(field, region, undo, where) > 0.5
    assert back.shape == seen.shape
    apart = (back ^ seen).sum() / seen.sum()
    assert apart < (0.35 if max(spacing) > 2 else 0.02), rng


def test_it_is_the_way_back_of_every_other_answer():
    rng = np.random.default_rng(1)
    image = Image(np.zeros((1, 9, 20, 24), np.float32), affine=np.diag([1.5, 1.5, 3.0, 1.0]))
    undo = geometry.layout(image, canonical=True, spacing_mm=(1.0, 1.0, 2.0), size=None, whole=False)
    field = rng.normal(size=undo.shape).astype(np.float32)
    region = regions.Region((0, 0, 0), undo.shape, undo.shape)
    own = regions.to_native(field, region, undo, regions.window(region, undo))
    points = np.stack(np.meshgrid(*(np.arange(n) for n in image.shape), indexing="ij"), -1) + 0.5
    at = geometry.forward_points(points.reshape(-1, 3), undo) - 0.5
    from scipy.ndimage import map_coordinates

    expected = map_coordinates(field, at.T, order=1, mode="nearest").reshape(image.shape)
    assert np.allclose(own, geometry.seen(expected, undo), atol=1e-5)
