"""Batches: what some cases lack is filled and said; what differs in number stays a list; cines may differ in length."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vesalius.core.errors import DataError
from vesalius.prepare.batch import Example, collate

PIXELS = np.ones((1, 4, 4, 4), dtype=np.float32)


def test_labelled_and_unlabelled_complete_and_incomplete_cases_share_a_batch() -> None:
    mask = np.ones((1, 4, 4, 4), dtype=np.int16)
    full = Example(
        "full",
        {"image": PIXELS, "late": 2 * PIXELS},
        {"mask": mask, "label": np.array([0, 1], np.float32)},
        on_grid=frozenset({"mask"}),
        covariates=np.array([61, 1], np.float32),
        present={"t1": True, "flair": True},
        patient="P1",
        group="here",
    )
    bare = Example("bare", {"image": PIXELS}, present={"t1": True, "flair": False})
    batch = collate([bare, full])
    assert batch.targets["mask"].shape == (2, 1, 4, 4, 4) and batch.on_grid == {"mask"}
    assert bool((batch.targets["mask"][0] == -1).all()) and bool((batch.targets["mask"][1] == 1).all())
    assert batch.targets["label"].tolist() == [[0, 0], [0, 1]]
    assert batch.has["mask"].tolist() == [False, True]
    assert batch.labelled("label") is batch.has["label"] and collate([full, full]).labelled("label") is None
    assert batch.images["late"][0].abs().sum() == 0 and batch.present["late"].tolist() == [False, True]
    assert batch.present["image"].tolist() == [True, True] and batch.present["flair"].tolist() == [
        False,
        True,
    ]
    assert batch.covariates is not None and batch.covariates[0].isnan().all()
    assert batch.present["covariates"].tolist() == [False, True]
    assert (batch.patients, batch.groups) == ((None, "P1"), (None, "here"))
    assert batch.tokens is None and "tokens" not in batch.present


def test_where_nothing_is_lacking_arrays_are_stacked_and_no_more() -> None:
    examples = [
        Example(str(k), {"image": PIXELS * k}, {"label": np.array([k], np.float32)}) for k in range(3)
    ]
    batch = collate(examples)
    assert torch.equal(
        batch.images["image"], torch.from_numpy(np.stack([e.images["image"] for e in examples]))
    )
    assert batch.images["image"].dtype == torch.float32 and batch.targets["label"].tolist() == [[0], [1], [2]]
    assert collate([Example("a", {})]).images == {}


def test_ragged_targets_stay_lists_and_move_with_the_batch() -> None:
    some = Example(
        "some", {"image": PIXELS}, ragged={"balls": np.zeros((2, 2, 3))}, boxes=frozenset({"balls"})
    )
    batch = collate([some, Example("none", {"image": PIXELS})]).to(torch.device("cpu"))
    first, second = batch.ragged["balls"]
    assert first is not None and first.shape == (2, 2, 3) and second is None and batch.boxes == {"balls"}


def test_cines_of_different_length_are_as_long_as_the_longest() -> None:
    def cine(n: int) -> Example:
        times = np.arange(n, dtype=np.float32)
        return Example(str(n), {"image": np.ones((n, 1, 1, 4, 4), np.float32)}, frame_times_s=times)

    batch = collate([cine(2), cine(5)])
    assert batch.images["image"].shape == (2, 5, 1, 1, 4, 4)
    assert batch.images["image"][0].flatten(1).sum(dim=1).tolist() == [16, 16, 0, 0, 0]
    assert batch.frame_times_s is not None
    assert batch.frame_times_s.isnan().sum(dim=1).tolist() == [3, 0]


def test_cases_of_different_size_are_no_batch() -> None:
    with pytest.raises(DataError, match=r"differ in the shape of 'image'; found .*ragged"):
        collate([Example("a", {"image": PIXELS}), Example("b", {"image": PIXELS[:, :2]})])
