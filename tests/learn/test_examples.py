"""Batches: a pure function of the step, balanced or foreground-seeking where planned."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from _bench import PLAN, Bench

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.core.plan import override
from vesalius.core.progress import Silent
from vesalius.core.seeds import seed_of
from vesalius.learn.examples import augmented, batches, cut_out, prepare_examples
from vesalius.prepare.batch import Example, collate
from vesalius.tasks import contract as tasks

CPU = torch.device("cpu")
PATCHES = override(
    PLAN,
    {
        "data.dims": 3,
        "data.sampling": "patches",
        "data.size": [8, 8, 8],
        "augment": {},
        "train.foreground": 1.0,
    },
)


def volume(shape: tuple[int, int, int] = (20, 24, 28)) -> Example:
    """A ramp image, so that every patch says where it was cut, and two labels of which one is a single voxel."""
    ramp = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)
    mask = np.zeros((1, *shape), dtype=np.int16)
    mask[0, 5:15, 4:14, 6:20] = 1
    mask[0, 19, 23, 27] = 2
    return Example("v", {"image": ramp}, {"mask": mask}, on_grid=frozenset({"mask"}))


def test_a_step_gives_the_same_batch_whenever_it_is_asked(bench: Bench) -> None:
    draw, again = batches(bench.examples, PLAN, 0), batches(bench.examples, PLAN, 0)
    later = again(7, CPU)
    for step in range(8):
        batch = draw(step, CPU)
    assert torch.equal(batch.images["image"], later.images["image"]) and batch.case_ids == later.case_ids
    assert not torch.equal(batches(bench.examples, PLAN, 1)(7, CPU).images["image"], later.images["image"])


def test_each_epoch_shows_every_case_once(bench: Bench) -> None:
    odd = override(PLAN, {"train.batch": 3})
    draw = batches(bench.examples, odd, 0)
    shown = [k for step in range(8) for k in draw.order(step)]  # three epochs of eight
    for epoch in range(3):
        assert sorted(shown[8 * epoch : 8 * epoch + 8]) == list(range(8))
    assert shown[:8] != shown[8:16]


def test_balanced_draws_show_each_class_alike(bench: Bench) -> None:
    hot = np.eye(2, dtype=np.float32)
    uneven = [replace(e, targets={"label": hot[int(k == 0)]}) for k, e in enumerate(bench.examples)]  # 7 to 1
    draw = batches(uneven, override(PLAN, {"train.balance": True, "train.batch": 100}), 0)
    counted = Counter(int(k == 0) for step in range(20) for k in draw.order(step))
    assert abs(counted[1] / 2000 - 0.5) < 0.045  # four standard errors
    plain = batches(uneven, override(PLAN, {"train.batch": 100}), 0)
    assert Counter(int(k == 0) for s in range(20) for k in plain.order(s))[1] == 250


def test_foreground_patches_hold_each_label_alike() -> None:
    draw = batches([volume()], override(PATCHES, {"train.batch": 50}), 0)
    found = torch.cat([draw(step, CPU).targets["mask"] for step in range(6)])
    assert found.shape == (300, 1, 8, 8, 8)
    has = [(found == v).flatten(1).any(dim=1) for v in (1, 2)]
    assert bool((has[0] | has[1]).all()), "every patch holds a label"
    assert abs(float(has[1].float().mean()) - 0.5) < 0.12, "the single voxel in half of them"


def test_a_patch_is_cut_from_images_and_mask_alike() -> None:
    one = volume()
    batch = batches([one], PATCHES, 0)(3, CPU)
    for image, mask in zip(batch.images["image"][:, 0], batch.targets["mask"][:, 0], strict=True):
        z, y, x = np.unravel_index(int(image[0, 0, 0]), (20, 24, 28))
        assert np.array_equal(image, one.images["image"][0, z : z + 8, y : y + 8, x : x + 8])
        assert np.array_equal(mask, one.targets["mask"][0, z : z + 8, y : y + 8, x : x + 8])


def test_beyond_the_memory_examples_lie_on_disk_and_are_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    block = np.zeros((1, 10, 12, 14), dtype=np.uint8)
    block[..., 2:6, 3:8, 4:9] = 5
    cases = [
        Case(
            f"c{k}",
            {"image": Image(rng.normal(size=(1, 10, 12, 14)).astype(np.float32))},
            targets={"t": Image(block)},
        )
        for k in range(3)
    ]
    state = State({"target": "t", "labels": [{"value": 5, "name": "block", "code": None, "colour": None}]})
    task = tasks.get("segment")
    held = prepare_examples(task, cases, PATCHES, state, progress=Silent())
    spilt = prepare_examples(
        task, cases, PATCHES, state, progress=Silent(), folder=tmp_path / "c", memory_bytes=12_000
    )
    assert isinstance(spilt[2].images["image"], np.memmap) and not isinstance(
        spilt[0].images["image"], np.memmap
    )
    for a, b in zip(held, spilt, strict=True):
        assert np.array_equal(a.images["image"], b.images["image"])
        assert np.array_equal(a.targets["mask"], b.targets["mask"])
    assert set(np.unique(held[0].targets["mask"])) == {0, 1}


def test_seeds_are_spread_and_stable() -> None:
    assert seed_of(0, 1, "step", 2) == seed_of(0, 1, "step", 2) != seed_of(0, 12, "step", "")
    assert len({seed_of(0, m, "step", s) for m in range(5) for s in range(100)}) == 500
    assert 0 <= seed_of("x") < 2**63


def test_cases_without_any_of_several_labels_are_drawn_as_often_as_any() -> None:
    pixels = {"image": np.zeros((1, 1, 16, 16), dtype=np.float32)}
    hot = [[1, 0]] + [[0, 1]] * 3 + [[0, 0]] * 6
    examples = [Example(str(k), pixels, {"label": np.array(h, dtype=np.float32)}) for k, h in enumerate(hot)]
    weights = batches(examples, override(PLAN, {"train.balance": True}), 0).weights
    assert weights is not None
    assert np.allclose([weights[:1].sum(), weights[1:4].sum(), weights[4:].sum()], 10)


def test_points_and_boxes_are_cut_with_their_image_and_none_is_dropped() -> None:
    one = replace(
        volume(),
        images={**volume().images, "scout": np.ones((1, 2, 3, 3), np.float32)},
        ragged={
            "clicks": np.array([[6.5, 7.0, 8.0]]),
            "balls": np.array([[[4.0, 4, 4], [9, 9, 9]], [[0, 0, 0], [2, 2, 2]]]),
            "names": np.array([1, 2]),
        },
        points=frozenset({"clicks"}),
        boxes=frozenset({"balls"}),
    )
    cut = cut_out(one, (5, 5, 5), (8, 8, 8))
    assert cut.images["image"].shape == cut.targets["mask"].shape == (1, 8, 8, 8)
    assert cut.images["scout"].shape == (1, 2, 3, 3), "of another grid"
    assert cut.ragged["clicks"].tolist() == [[1.5, 2.0, 3.0]]
    assert cut.ragged["balls"].tolist() == [[[0, 0, 0], [4, 4, 4]], [[0, 0, 0], [0, 0, 0]]]
    assert cut.ragged["names"] is one.ragged["names"]


def test_all_frames_of_a_cine_move_alike() -> None:
    still = np.random.default_rng(0).normal(size=(1, 1, 16, 16)).astype(np.float32)
    cine = Example("c", {"image": np.stack([still] * 3)})
    moving = override(PLAN, {"augment": {"flip_axes": ["x"], "rotate_deg": 20, "probability": 1.0}})
    before = collate([cine, cine])
    after = augmented(before, moving, torch.Generator().manual_seed(1)).images["image"]
    assert after.shape == (2, 3, 1, 1, 16, 16) and not torch.equal(after, before.images["image"])
    assert torch.equal(after[:, 0], after[:, 1]) and torch.equal(after[:, 0], after[:, 2])


def test_boxes_move_with_their_image_and_without_images_nothing_is_asked() -> None:
    pixels = np.zeros((1, 16, 16, 16), np.float32)
    pixels[:, 4:8, 5:9, 2:6] = 1
    block = np.array([[[4.0, 5, 2], [8, 9, 6]]])
    one = Example("a", {"image": pixels}, ragged={"b": block, "names": np.array([3])}, boxes=frozenset("b"))
    moving = override(PLAN, {"augment": {"flip_axes": ["x"], "rotate_deg": 20, "probability": 1.0}})
    batch = collate([one, one])
    after = augmented(batch, moving, torch.Generator().manual_seed(2))
    assert not torch.equal(after.images["image"], batch.images["image"])
    for image, box in zip(after.images["image"][:, 0], after.ragged["b"], strict=True):
        where = (image > 0.5).nonzero()
        assert box is not None and (box[0, 0] <= where.amin(dim=0) + 0.5).all()
        assert (box[0, 1] >= where.amax(dim=0) + 0.5).all()
    assert after.ragged["names"] == batch.ragged["names"]
    bare = collate([Example("bare", {}, {"label": np.ones(2, np.float32)})])
    assert augmented(bare, moving, torch.Generator()) is bare


def test_the_loss_of_a_batch_that_is_labelled_in_part_is_that_of_its_labelled_cases(bench: Bench) -> None:
    from _bench import STATE

    from vesalius import nets

    task = tasks.get("classify")
    model = task.build(PLAN, STATE, nets).eval()
    some = [replace(e, targets={}) if k % 2 else e for k, e in enumerate(bench.examples)]
    generator = torch.Generator()
    found = task.loss(model, collate(some), generator)["class"]
    want = task.loss(model, collate(bench.examples[::2]), generator)["class"]
    assert torch.allclose(found, want, atol=1e-6)
    nothing = task.loss(model, collate(some[1:2]), generator)["class"]
    assert float(nothing.detach()) == 0 and nothing.requires_grad
    mixed = augmented(collate(some), override(PLAN, {"augment": {"mixup": 0.4}}), generator)
    assert torch.equal(mixed.images["image"], collate(some).images["image"]), (
        "unknown labels are mixed with none"
    )


def test_patients_and_groups_come_along() -> None:
    image = Image(np.ones((1, 8, 8, 8), np.float32))
    state = State({"target": "t", "labels": [{"value": 5, "name": "block", "code": None, "colour": None}]})
    cases = [Case("c", {"image": image}, patient="P", group="site")]
    made = prepare_examples(tasks.get("segment"), cases, PATCHES, state, progress=Silent())
    assert (collate(made).patients, collate(made).groups) == (("P",), ("site",))
