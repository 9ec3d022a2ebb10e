"""Completing bones: defects are drawn alike where they are scored and anew where they are learned from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.prepare.batch import Batch
from vesalius.tasks import contract
from vesalius.tasks._implanting import cut_anew, mirrored
from vesalius.tasks.implant import GIVEN, field_size

N, SIDE = 36, 5.0  # a ball as large as a head
TASK = contract.get("implant")
STATE = State(
    {
        "target": GIVEN,
        "made": True,
        "seed": 3,
        "bone": 200.0,
        "mirror": False,
        "labels": [{"value": 1, "name": GIVEN, "code": None, "colour": None}],
    }
)


def shell() -> Array:
    z, y, x = (np.mgrid[:N, :N, :N] - (N - 1) / 2) * SIDE
    r = np.sqrt(x**2 + y**2 + z**2)
    return (r < 80) & (r > 66)


def case(name: str = "a", **more: Any) -> Case:
    array = np.where(shell(), 900, 40).astype(np.int16)[None]
    image = Image(array, affine=np.diag([SIDE, SIDE, SIDE, 1.0]), unit="HU")
    return Case(name, {"image": image}, reference="image", **more)


@pytest.fixture(scope="module")
def posed() -> Case:
    return TASK.posed(case(), STATE)


def test_a_healthy_bone_is_cut_alike_each_time_and_otherwise_with_another_id(posed: Case) -> None:
    again, other = TASK.posed(case(), STATE), TASK.posed(case("b"), STATE)
    truth = posed.targets[GIVEN].array
    assert truth.any()
    assert np.array_equal(truth, again.targets[GIVEN].array)
    assert not np.array_equal(truth, other.targets[GIVEN].array)
    assert np.array_equal(TASK.truth(case(), STATE).array, truth)


def test_what_was_taken_out_is_no_bone_any_more_and_makes_it_whole_again(posed: Case) -> None:
    rest, truth = posed.images["image"].array[0] >= 200, posed.targets[GIVEN].array[0] > 0
    assert not (rest & truth).any()
    assert np.array_equal(rest | truth, shell())


def test_a_case_that_has_its_implant_is_not_cut_again(posed: Case) -> None:
    assert TASK.posed(posed, STATE) is posed
    given = State({**STATE.values, "made": False})
    assert TASK.posed(case(), given).images is not None
    assert GIVEN not in TASK.posed(case(), given).targets


def test_bone_that_is_there_is_never_part_of_the_answer(posed: Case) -> None:
    reference = posed.images["image"]
    answer = TASK.decode(np.ones(reference.shape, np.int64), STATE, {}, reference)
    assert not (answer.image.array[0] > 0)[reference.array[0] >= 200].any()
    assert (answer.image.array[0] > 0).sum() == (reference.array[0] < 200).sum()


def test_defects_are_drawn_anew_and_leave_whole_bones_whole(posed: Case) -> None:
    rest = torch.from_numpy((posed.images["image"].array >= 200).astype(np.float32))[None]
    truth = torch.from_numpy(posed.targets[GIVEN].array.astype(np.int16))[None]
    batch = Batch({"image": rest}, ("a",), {"mask": truth}, on_grid=frozenset({"mask"}))
    one, again, other = (
        cut_anew(batch, (SIDE,) * 3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one.targets["mask"], again.targets["mask"])
    assert not torch.equal(one.targets["mask"], other.targets["mask"])
    for made in (one, other):
        both = made.images["image"][0, 0] + made.targets["mask"][0, 0]
        assert np.array_equal(both.numpy() > 0.5, shell())
        assert not ((made.images["image"] > 0.5) & (made.targets["mask"] > 0)).any()


def test_masks_of_the_bone_itself_are_refused_as_implants() -> None:
    held = case()
    bone = replace(held.images["image"], array=shell()[None].astype(np.uint8), unit=None)
    plan = Plan.model_construct(task=type("T", (), {"options": {"bone": 200.0}})())
    info = type("I", (), {"name": "bone"})()
    with pytest.raises(DataError, match=r"is bone that is there, and no implant; found 100%.*no --target"):
        TASK.summary([replace(held, targets={"bone": bone})], info, plan)


def test_a_mirrored_bone_is_that_of_numpy_across_its_middle() -> None:
    x = torch.zeros(1, 1, 1, 1, 12)
    x[..., 2:5] = torch.tensor([1.0, 1.0, 1.0])  # its middle is 3: mirrored onto itself
    assert torch.equal(mirrored(x), x)
    x = torch.zeros(1, 1, 1, 2, 12)
    x[0, 0, 0, 0, 2], x[0, 0, 0, 1, 8] = 1.0, 1.0  # the middle is 5: 2 becomes 8 and 8 becomes 2
    assert mirrored(x)[0, 0, 0].nonzero().tolist() == [[0, 8], [1, 2]]


@pytest.mark.parametrize(
    ("shape", "most"), [((96, 96, 96), 96**3), ((300, 512, 512), 96**3), ((1, 40, 30), 96**3)]
)
def test_the_whole_field_fits_the_budget(shape: tuple[int, int, int], most: int) -> None:
    size, coarser = field_size(shape, most)
    assert np.prod(size) <= most
    assert all(s * coarser >= n for s, n in zip(size, shape, strict=True))
    assert coarser == 1 or np.prod(size) > most / 2
