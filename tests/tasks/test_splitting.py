"""Splitting fields into things, against what is worked by hand and against scikit-image on the whole field."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.tasks import _splitting
from vesalius.tasks._splitting import depths, split


def disks(*at: tuple[int, int, int], shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    """Ids `(1, Y, X)` of disks (row, column, radius), the later over the earlier."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    ids = np.zeros(shape, np.int32)
    for k, (row, column, radius) in enumerate(at, start=1):
        ids[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = k
    return ids[None]


def fields(ids: np.ndarray, labels: dict[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The fields that a perfect net gives of ids."""
    table = np.zeros(ids.max() + 1, np.uint8)
    for thing, label in labels.items():
        table[thing] = label
    depth = np.round(255 * depths(ids)).astype(np.uint8)
    return table[ids], depth, np.full(ids.shape, 255, np.uint8)


def test_depths_of_a_bar_are_worked_by_hand() -> None:
    ids = np.zeros((1, 7, 9), np.int32)
    ids[0, 1:6, 2:7] = 3  # five by five: 1, 2, 3 voxels deep
    want = np.array([1, 2, 3, 2, 1]) / 3
    assert np.allclose(depths(ids)[0, 3, 2:7], want) and depths(ids)[0, 0].max() == 0
    thick = depths(ids, spacing=(1.0, 1.0, 2.0))[0]
    assert np.allclose(thick[3, 2:7], np.array([2, 3, 3, 3, 2]) / 3), "across columns twice as far"


def test_what_the_image_cuts_is_deep_at_the_cut() -> None:
    ids = np.zeros((1, 8, 8), np.int32)
    ids[0, 2:7, :3] = 1
    depth = depths(ids)[0]
    assert depth[4, 0] == 1.0 and depth[4, 2] == pytest.approx(1 / 3)
    ids[0, 0:2] = -1  # and so is what is not known
    assert depths(ids)[0, 2, 0] == 1.0
    assert (depths(np.ones((1, 4, 4), np.int32)) == 1.0).all()


def test_touching_things_of_one_label_are_split() -> None:
    ids = disks((20, 15, 9), (20, 31, 9), (20, 47, 9))  # a row of three that touch
    found = split(*fields(ids, {1: 1, 2: 1, 3: 2}), labels=2, at=0.5)
    assert len(found.voxels) == 3 and sorted(found.place.tolist()) == [0, 0, 1]
    for k in (1, 2, 3):
        own = ids == k
        ours = found.ids == np.bincount(found.ids[own]).argmax()
        assert (own & ours).sum() / (own | ours).sum() > 0.9
    assert found.voxels.sum() == (ids > 0).sum() and (found.sure == 1.0).all()


def test_a_part_without_a_seed_is_a_thing_of_its_own_and_small_ones_are_left_out() -> None:
    ids = disks((10, 10, 6), (30, 40, 3))
    label, depth, sure = fields(ids, {1: 1, 2: 1})
    depth[ids == 2] = 100
    found = split(label, depth, sure, labels=1, at=0.5)
    assert len(found.voxels) == 2 and found.sure[1] == pytest.approx(100 / 255)
    found = split(label, depth, sure, labels=1, at=0.5, least=40)
    assert found.voxels.tolist() == [(ids == 1).sum()] and set(np.unique(found.ids)) == {0, 1}


def test_the_label_is_that_of_most_voxels() -> None:
    ids = disks((20, 20, 9))
    label, depth, sure = fields(ids, {1: 1})
    label[0, 12:16][label[0, 12:16] > 0] = 2
    assert split(label, depth, sure, labels=2, at=0.5).place.tolist() == [0]


def test_nothing_is_nothing() -> None:
    empty = np.zeros((2, 5, 5), np.uint8)
    found = split(empty, empty, empty, labels=2, at=0.5)
    assert not found.ids.any() and not len(found.voxels)


def test_volumes_are_split_alike() -> None:
    z, y, x = np.mgrid[:20, :20, :34]
    ids = np.zeros((20, 20, 34), np.int32)
    ids[(z - 10) ** 2 + (y - 10) ** 2 + (x - 9) ** 2 <= 49] = 1
    ids[(z - 10) ** 2 + (y - 10) ** 2 + (x - 24) ** 2 <= 64] = 2
    found = split(*fields(ids, {1: 1, 2: 1}), labels=1, at=0.5)
    assert (
        len(found.voxels) == 2
        and abs(np.sort(found.voxels) - np.sort(np.bincount(ids.ravel())[1:])).max() < 60
    )


def test_a_large_part_is_split_on_every_other_voxel_and_keeps_all_of_its_voxels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = disks((20, 15, 9), (20, 31, 9), (20, 47, 9))
    made = fields(ids, {1: 1, 2: 1, 3: 1})
    whole = split(*made, labels=1, at=0.5)
    monkeypatch.setattr(_splitting, "LARGE", 500)
    coarse = split(*made, labels=1, at=0.5)
    assert coarse.voxels.sum() == whole.voxels.sum() and len(coarse.voxels) == 3
    assert (coarse.ids == whole.ids).mean() > 0.98
