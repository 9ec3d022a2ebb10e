"""Axes, resampling, padding, and the way back: exact where nothing is interpolated, close where it is."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import center_of_mass
from torch.nn import functional as F

from vesalius.core.errors import GeometryError
from vesalius.core.image import Image
from vesalius.infer import native
from vesalius.phantom.ct import AbdomenPatient, patient
from vesalius.prepare import geometry

TURNS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]
SPACING = (0.8, 1.3, 2.5)


def affine_of(order: tuple[int, ...], signs: tuple[float, ...], *, tilt_deg: float = 0.0) -> np.ndarray:
    """Index axis i runs along world axis `order[i]` with `signs[i]`; tilted about an oblique axis."""
    made = np.eye(4)
    made[:3, :3] = 0
    for i, w in enumerate(order):
        made[w, i] = signs[i] * SPACING[i]
    made[:3, 3] = (11.0, -7.0, 3.0)
    if tilt_deg:
        axis, a = np.array([1.0, 2.0, -1.0]) / np.sqrt(6), np.deg2rad(tilt_deg)
        k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        made[:3, :3] = (np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * k @ k) @ made[:3, :3]
    return made


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0])
@pytest.mark.parametrize(("order", "signs"), TURNS)
def test_every_orientation_is_turned_to_lps_and_back_exactly(
    order: tuple[int, ...], signs: tuple[float, ...], tilt_deg: float
) -> None:
    affine = affine_of(order, signs, tilt_deg=tilt_deg)
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    axes, flips = geometry.orientation(affine)
    turned = geometry.turn(array, axes, flips)
    assert np.array_equal(geometry.turn_back(turned, axes, flips), array)
    # where each voxel lies in the world: after turning, a step along X goes to the left, Y back, Z up
    z, y, x = np.meshgrid(*map(np.arange, (3, 4, 5)), indexing="ij")
    world = np.einsum("wi,i...->w...", affine[:3, :3], np.stack([x, y, z]).astype(float))
    there = geometry.turn(world, axes, flips)  # (3 of the world, Z, Y, X)
    steps = np.stack([np.diff(there, axis=3 - k).reshape(3, -1)[:, 0] for k in range(3)], axis=1)
    assert np.array_equal(np.abs(steps).argmax(axis=0), [0, 1, 2]) and (np.diag(steps) > 0).all()


def test_without_an_affine_nothing_is_turned() -> None:
    assert geometry.orientation(None) == ((0, 1, 2), ())


@pytest.mark.parametrize(("order", "signs"), TURNS[::5])
def test_permutation_flip_and_padding_are_undone_exactly(
    order: tuple[int, ...], signs: tuple[float, ...]
) -> None:
    rng = np.random.default_rng(0)
    image = Image(rng.normal(size=(2, 5, 6, 7)).astype(np.float32), affine=affine_of(order, signs))
    undo = geometry.layout(image, canonical=True, spacing_mm=None, size=(8, 9, 10), whole=False)
    there = geometry.forward(image.array, undo)
    assert there.shape == (2, 8, 9, 10) == (2, *undo.shape) and not undo.resampled
    assert np.array_equal(geometry.backward(there, undo), image.array)
    assert undo.affine is image.affine and undo.native == image.shape
    labels = rng.integers(0, 255, size=image.shape).astype(np.uint8)
    there = geometry.forward_labels(labels.astype(np.int32), undo, pad=-1)
    assert (there == -1).sum() == there.size - labels.size
    assert np.array_equal(geometry.backward(there[None].astype(np.float32), undo)[0], labels)


@pytest.mark.parametrize("turn", [TURNS[0], TURNS[13], TURNS[38]])
@pytest.mark.parametrize("spacing_mm", [(4.0, 3.0, 6.0), (9.0, 9.0, 5.0), (12.0, 7.5, 7.5)])
def test_whatever_the_spacing_undo_gives_the_inputs_shape(
    turn: tuple[tuple[int, ...], tuple[float, ...]], spacing_mm: tuple[float, float, float]
) -> None:
    image = Image(np.random.default_rng(1).normal(size=(1, 9, 14, 11)), affine=affine_of(*turn))
    undo = geometry.layout(image, canonical=True, spacing_mm=spacing_mm, size=(4, 4, 4), whole=False)
    field = geometry.forward(image.array, undo)
    assert geometry.backward(field, undo).shape == image.array.shape
    constant = geometry.backward(np.full_like(field, 3.5), undo)
    assert np.allclose(constant, 3.5, atol=1e-5)


@pytest.fixture(scope="module")
def study() -> AbdomenPatient:
    return patient(0, 5, size=(80, 160, 160))


@pytest.mark.parametrize("factor", [(1.2, 0.9, 1.0), (0.8, 0.8, 1.1), (1.0, 1.0, 1.0)])
def test_after_resampling_organs_keep_their_place(
    study: AbdomenPatient, factor: tuple[float, float, float]
) -> None:
    """Native labels → prepared grid → one-hot field → native: Dice ≥ 0.98 and centroids within half a voxel.

    Liver, spleen and kidneys at 2.7 mm, to a spacing near their own, as a plan's median spacing is.
    """
    image = study.as_image()
    assert image.spacing_mm is not None
    x, y, z = (s * f for s, f in zip(image.spacing_mm, factor, strict=True))
    undo = geometry.layout(image, canonical=True, spacing_mm=(x, y, z), size=(16, 16, 16), whole=False)
    labels = np.where(study.organs <= 4, study.organs, 0).astype(np.int32)
    there = geometry.forward_labels(labels, undo, pad=0)
    field = torch.from_numpy(np.stack([(there == v).astype(np.float32) for v in range(5)]))
    pieces = iter([(0, 0, undo.shape[0], field)])
    back = native.to_native(pieces, undo, lambda raw: raw.argmax(dim=0))
    assert back.shape == labels.shape and undo.resampled == (factor != (1.0, 1.0, 1.0))
    coarser = np.maximum(image.spacing_mm, (x, y, z))[::-1]
    for value in range(1, 5):
        truth, found = labels == value, back == value
        dice = 2 * (truth & found).sum() / (truth.sum() + found.sum())
        assert dice >= (0.98 if undo.resampled else 1.0), f"label {value}: Dice {dice:.4f}"
        shift = np.abs(np.array(center_of_mass(truth)) - np.array(center_of_mass(found)))
        assert (shift * np.array(image.spacing_mm[::-1]) <= coarser / 2).all()


@pytest.mark.parametrize("shape", [(8, 12, 20), (5, 6, 7), (16, 6, 9)])
def test_enlarging_is_linear_interpolation(shape: tuple[int, int, int]) -> None:
    array = np.random.default_rng(2).normal(size=(2, 5, 6, 7)).astype(np.float32)
    want = F.interpolate(torch.from_numpy(array)[None], size=shape, mode="trilinear", align_corners=False)[0]
    assert np.allclose(geometry.resample(array, shape), want.numpy(), atol=1e-5)


def test_shrinking_is_antialiased_linear_interpolation() -> None:
    array = np.random.default_rng(3).normal(size=(2, 1, 40, 30)).astype(np.float32)
    want = F.interpolate(
        torch.from_numpy(array[:, 0])[None],
        size=(13, 11),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )[0]
    found = geometry.resample(array, (1, 13, 11))[:, 0]
    assert np.allclose(found[:, 3:-3, 3:-3], want.numpy()[:, 3:-3, 3:-3], atol=1e-4), (
        "but for how edges are met"
    )
    assert np.allclose(geometry.resample(np.ones((1, 9, 9, 9)), (4, 5, 2)), 1.0, atol=1e-6)


def test_labels_are_the_largest_linear_field_whatever_their_order() -> None:
    labels = np.random.default_rng(4).integers(0, 4, size=(6, 8, 10))
    shape = (9, 11, 7)
    fields = np.stack([geometry.resample((labels == v).astype(np.float32), shape) for v in range(4)])
    found = geometry.resample_labels(labels, shape)
    assert np.array_equal(np.take_along_axis(fields, found[None], 0)[0], fields.max(axis=0))
    renamed = np.array([3, 7, 255, 40])
    top = np.sort(fields, axis=0)
    clear = top[-1] - top[-2] > 1e-6
    assert np.array_equal(geometry.resample_labels(renamed[labels], shape)[clear], renamed[found][clear])


def test_a_whole_picture_keeps_its_proportions() -> None:
    image = Image(np.zeros((1, 1, 100, 50)))
    undo = geometry.layout(image, canonical=True, spacing_mm=None, size=(1, 64, 64), whole=True)
    assert (undo.inner, undo.shape, undo.before) == ((1, 64, 32), (1, 64, 64), (0, 0, 16))
    thick = Image(np.zeros((1, 10, 20, 20)), affine=np.diag([1.0, 1.0, 4.0, 1.0]))
    undo = geometry.layout(thick, canonical=True, spacing_mm=(1.0, 1.0, 1.0), size=(32, 32, 32), whole=True)
    assert undo.inner == (32, 16, 16)


def test_a_planned_spacing_wants_images_with_spacing() -> None:
    with pytest.raises(GeometryError, match="says no spacing"):
        geometry.layout(
            Image(np.zeros((1, 4, 4, 4))), canonical=True, spacing_mm=(1, 1, 1), size=None, whole=False
        )


def test_same_grid_sees_a_shift_of_a_tenth_of_a_millimetre() -> None:
    image = Image(np.zeros((1, 4, 5, 6)), affine=np.eye(4))
    moved = np.eye(4)
    moved[0, 3] = 0.1
    assert geometry.same_grid(image, replace(image))
    assert not geometry.same_grid(image, replace(image, affine=moved))
    assert not geometry.same_grid(image, Image(np.zeros((1, 4, 5, 7)), affine=np.eye(4)))
    assert geometry.same_grid(image, Image(np.zeros((1, 4, 5, 6)))), "as far as both know it"


def test_an_image_is_laid_onto_anothers_grid_by_where_it_lies() -> None:
    # a ramp along the patient's left, seen on a grid that runs the other way at another spacing
    x = np.arange(20.0)
    ramp = Image(np.broadcast_to(x * 2.0 + 5, (1, 6, 7, 20)), affine=affine_like((2.0, 1, 1), (5, 0, 0)))
    seen = affine_like((-1.5, 1, 1), (35, 0, 0))
    reference = Image(np.zeros((1, 6, 7, 12)), affine=seen)
    found = geometry.onto(ramp, reference)
    assert np.allclose(found[0, 2, 3], 35 - 1.5 * np.arange(12), atol=1e-4)


def affine_like(spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> np.ndarray:
    made = np.diag([*spacing, 1.0])
    made[:3, 3] = origin
    return made


@pytest.mark.parametrize("spacing", [None, (0.5, 1.5, 2.0)])
def test_points_lie_where_their_voxels_go_and_come_back(spacing: tuple[float, float, float] | None) -> None:
    affine = np.array([[0, 0, -2.0, 5], [1.0, 0, 0, -3], [0, -1.0, 0, 40], [0, 0, 0, 1]])
    block = np.zeros((10, 12, 14), dtype=np.int16)
    low, high = np.array([2, 3, 5]), np.array([6, 8, 11])
    block[2:6, 3:8, 5:11] = 1
    image = Image(block[None], affine=affine)
    undo = geometry.layout(image, canonical=True, spacing_mm=spacing, size=(40, 40, 40), whole=False)
    corners = np.sort(geometry.forward_points(np.stack([low, high]), undo), axis=0)
    where = np.argwhere(geometry.forward_labels(block, undo))
    assert np.abs(corners - [where.min(axis=0), where.max(axis=0) + 1]).max() <= (0.5 if spacing else 0)
    back = np.sort(geometry.backward_points(corners, undo), axis=0)
    assert np.allclose(back, [low, high])
