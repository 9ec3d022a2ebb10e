"""Learning from cases without a target: teachers, ramps, thresholds and views against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _bench import PLAN, STATE, Bench
from torch import Tensor

from vesalius.core.bundle import State
from vesalius.core.errors import Interrupted, PlanError
from vesalius.core.plan import AugmentPlan, Plan, override
from vesalius.core.progress import Silent
from vesalius.learn import checkpoint, loop
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes._semi import ramped
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.crosspseudo import CrossPseudo
from vesalius.learn.recipes.fixmatch import FixMatch
from vesalius.learn.recipes.meanteacher import MeanTeacher, apart
from vesalius.learn.stepper import fabric_for
from vesalius.learn.thresholds import Fixed, Flex, Free
from vesalius.learn.unlabelled import Beside, beside, strong, stronger, weak
from vesalius.prepare.batch import Batch, Example, collate
from vesalius.prepare.opinion import Opinion
from vesalius.tasks import contract as tasks

RECIPES = ("meanteacher", "fixmatch", "crosspseudo")
LACKING = frozenset(f"case-{k}" for k in range(4, 8))
MASK_PLAN = override(
    PLAN, {"task.name": "segment", "net.name": "unet", "loss.name": "dice-ce", "data.size": [1, 16, 16]}
)
MASK_STATE = State(
    {
        "target": "t",
        "share": [0.7, 0.3],
        "labels": [{"value": 1, "name": "a", "code": None, "colour": None, "shown": None}],
    }
)
NUMBER_STATE = State(
    {"target": "t", "mean": 0.0, "sd": 1.0, "low": -1.0, "high": 1.0, "unit": "", "covariates": {}}
)


def without(examples: tuple[Example, ...]) -> tuple[Example, ...]:
    """The second half of them without their targets."""
    return tuple(replace(e, targets={}) if e.case_id in LACKING else e for e in examples)


def masked(examples: tuple[Example, ...]) -> tuple[Example, ...]:
    """With the bright half of each image as its mask."""
    return tuple(
        replace(e, targets={"mask": (e.images["image"] > 0).astype(np.int16)}, on_grid=frozenset({"mask"}))
        for e in examples
    )


def member(bench: Bench, name: str, **settings: Any) -> Member:
    plan = override(PLAN, {"train.recipe": name, **settings})
    examples = without(bench.examples)
    return Member(
        tasks.get("classify"), plan, STATE, examples, 0, fabric_for(plan, "cpu"), unlabelled=LACKING, steps=10
    )


def train(bench: Bench, folder: Path, settings: Mapping[str, Any], **how: Any) -> loop.Trained:
    return replace(bench, examples=without(bench.examples), folder=folder).train(
        dict(settings), unlabelled=LACKING, **how
    )


# --- the ramp and the teacher


def test_the_ramp_is_that_of_the_paper() -> None:
    assert ramped(0, 10) == pytest.approx(math.exp(-5)) and ramped(5, 10) == pytest.approx(math.exp(-1.25))
    assert ramped(10, 10) == ramped(99, 10) == ramped(0, 0) == 1.0


def test_the_teacher_is_the_average_of_the_student_and_answers(bench: Bench) -> None:
    recipe = recipes.begin(member(bench, "meanteacher", **{"train.recipe_options.decay": 0.6}))
    assert isinstance(recipe, MeanTeacher)
    name = "net.stem.0.weight" if "net.stem.0.weight" in recipe.weights() else next(iter(recipe.weights()))
    by_hand = recipe.weights()[name].double()
    for step in range(3):
        recipe.step(step, 1e-2)
        keep = min(0.6, (1 + step) / (10 + step))  # quick at first, as in the paper's appendix
        student = recipe.stepper.model.state_dict()[name].double()
        by_hand = keep * by_hand + (1 - keep) * student
        assert torch.allclose(recipe.teacher.state_dict()[name].double(), by_hand, atol=1e-6)
        assert torch.allclose(recipe.weights()[name].double(), by_hand, atol=1e-6)
        assert not torch.allclose(student, by_hand, atol=1e-6)
    with recipe.answering() as model:
        assert torch.equal(model.state_dict()[name], recipe.teacher.state_dict()[name])
    assert not any(p.requires_grad for p in recipe.teacher.parameters()) and not recipe.teacher.training


def test_how_far_two_opinions_are_apart_leaves_out_what_is_not_known() -> None:
    one = Opinion(torch.tensor([[0.9, 0.1], [0.5, 0.5]]), "one")
    other = Opinion(torch.tensor([[0.7, 0.3], [0.0, 1.0]]), "one")
    assert float(apart(one, other, torch.tensor([True, True]))) == pytest.approx((0.08 + 0.5) / 2)
    assert float(apart(one, other, torch.tensor([True, False]))) == pytest.approx(0.08)
    assert float(apart(one, other, torch.tensor([False, False]))) == 0.0
    labels = [Opinion(o.values, "each") for o in (one, other)]
    assert float(apart(*labels, torch.tensor([True, True]))) == pytest.approx((0.08 + 0.5) / 2), "each is two"
    numbers = [Opinion(torch.tensor([[1.0], [2.0]]), "none"), Opinion(torch.tensor([[1.5], [4.0]]), "none")]
    assert float(apart(*numbers, torch.tensor([True, True]))) == pytest.approx((0.25 + 4.0) / 2)


# --- thresholds


def test_a_fixed_threshold_is_the_same_for_all() -> None:
    p = torch.tensor([[0.96, 0.04], [0.9, 0.1], [0.02, 0.98]])
    assert Fixed(0.95).sure(p).tolist() == [True, False, True]


def test_flexmatch_by_hand() -> None:
    found = Flex(0.9, [f"c{k}" for k in range(10)])
    assert found.each(3).tolist() == [0, 0, 0], "nothing is surely said yet, so that all is learned from"
    sure = {0: 0, 1: 0, 2: 0, 3: 0, 4: 1, 5: 1, 6: 2}  # case → class, the three others are not sure
    p = torch.full((10, 3), 1 / 3)
    for case, k in sure.items():
        p[case] = torch.tensor([0.01, 0.01, 0.01])
        p[case, k] = 0.98
    found.update(p, [f"c{k}" for k in range(10)])
    x = torch.tensor([4 / 4, 2 / 4, 1 / 4])  # four of the most often said class, three that are not sure
    assert torch.allclose(found.each(3), 0.9 * x / (2 - x))
    other = Flex(0.9, [f"c{k}" for k in range(10)])
    other.restore(found.keep())
    assert torch.equal(other.each(3), found.each(3))
    few = Flex(0.9, [f"c{k}" for k in range(10)])
    few.update(p[:1], ["c0"])
    assert float(few.each(3)[0]) == pytest.approx(0.9 * (1 / 9) / (2 - 1 / 9)), "nine are not sure"


def test_freematch_by_hand() -> None:
    found = Free(0.5)
    assert found.each(4).tolist() == [0.25] * 4, "chance"
    p = torch.tensor([[0.8, 0.2, 0.0, 0.0], [0.4, 0.6, 0.0, 0.0]])
    found.update(p, ["a", "b"])
    overall = 0.5 * 0.25 + 0.5 * 0.7
    classes = 0.5 * 0.25 + 0.5 * torch.tensor([0.6, 0.4, 0.0, 0.0])
    assert torch.allclose(found.each(4), overall * classes / classes.max())
    points = Free(0.5)
    points.update(p.T.reshape(1, 4, 1, 1, 2), ["a"])
    assert torch.allclose(points.each(4), found.each(4)), "each point counts as a case does"
    again = Free(0.5)
    again.restore(points.keep())
    assert torch.equal(again.each(4), points.each(4))


def test_only_what_is_sure_is_learned_and_by_its_share(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"train.recipe_options.adapt": "none", "train.recipe_options.threshold": 0.9}
    recipe = recipes.begin(member(bench, "fixmatch", **options))
    assert isinstance(recipe, FixMatch)
    p = torch.tensor([[0.95, 0.05], [0.6, 0.4], [0.03, 0.97], [0.5, 0.5]])
    monkeypatch.setattr(recipe, "answered", lambda model, batch: Opinion(p, "one"))
    seen: list[Batch] = []
    monkeypatch.setattr(
        recipe.stepper, "loss", lambda step, batch: (seen.append(batch), torch.tensor(2.0))[1]
    )
    assert float(recipe.term(0)) == pytest.approx(0.5 * 2.0), "two of four"
    assert seen[0].has["label"].tolist() == [True, False, True, False]
    assert seen[0].targets["label"].tolist()[::2] == [[1, 0], [0, 1]]
    p.fill_(0.5)
    assert float(recipe.term(0)) == 0.0 and len(seen) == 1, "nothing is sure, so nothing is learned"


# --- views


def opinion_of(images: Tensor) -> Opinion:
    """What an exact model says of images: where they are bright."""
    bright = (images[:, :1] > 0).float()
    return Opinion(torch.cat([1 - bright, bright], dim=1), "one")


def flipping(**changes: Any) -> Plan:
    """A plan that changes places alone."""
    augment = AugmentPlan(flip_axes=("y", "x"), probability=1.0, **changes)
    return PLAN.model_copy(update={"augment": augment})


def test_what_is_said_of_points_moves_with_the_image_voxel_by_voxel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vesalius.learn.unlabelled.LEAST", {})
    g = torch.Generator().manual_seed(0)
    images = torch.randn((8, 1, 1, 12, 16), generator=g)
    batch = Batch(images={"image": images}, case_ids=tuple("abcdefgh"))
    moved, wanted, known = strong(batch, opinion_of(images), flipping(), g, strength=1.5)
    now = moved.images["image"]
    assert torch.equal(wanted.values, opinion_of(now).values), "the same voxels, mirrored"
    assert bool(known.all()) and moved.targets == {} and not moved.on_grid
    assert sum(not torch.equal(a, b) for a, b in zip(images, now, strict=True)) >= 4, "some are mirrored"


def test_turned_images_keep_their_opinion_and_what_comes_from_outside_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vesalius.learn.unlabelled.LEAST", {})
    g = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    blob = 1 - ((y - 25) ** 2 + (x - 14) ** 2) / 40  # smooth, so that interpolation does not decide
    images = blob.expand(6, 1, 1, 40, 40).clone()
    batch = Batch(images={"image": images})
    plan = flipping(rotate_deg=30, translate=0.2, zoom=0.2, elastic=0.02)
    moved, wanted, known = strong(batch, opinion_of(images), plan, g, strength=1.0)
    now = moved.images["image"]
    agree = (opinion_of(now).values == wanted.values).all(dim=1)[known]
    assert float(agree.float().mean()) > 0.985, "all but the edges, where linear and nearest differ"
    assert 0.5 < float(known.float().mean()) < 0.99
    outside = ~known[:, None].expand_as(now)
    assert float(now[outside].abs().mean()) < 0.2 * float(now[~outside].abs().mean())
    still = (opinion_of(images).values == wanted.values).all(dim=1).float().mean()
    assert float(still) < 0.97, "the opinion would be wrong had it not moved"


def test_a_weak_view_is_mirrored_alone_and_never_mixed() -> None:
    g = torch.Generator().manual_seed(2)
    images = torch.randn((4, 1, 1, 8, 8), generator=g)
    plan = flipping(noise=0.5, mixup=0.9, rotate_deg=30)
    found = weak(Batch(images={"image": images}), plan, torch.Generator().manual_seed(3)).images["image"]
    for before, after in zip(images, found, strict=True):
        assert any(torch.equal(before.flip(axes), after) for axes in ((), (2,), (3,), (2, 3)))


def test_a_strong_view_changes_no_place_that_is_not_planned() -> None:
    found = stronger(AugmentPlan(noise=0.1, rotate_deg=100.0), 2.0)
    assert (
        found.rotate_deg == 180 and found.noise == pytest.approx(0.4) and found.contrast == pytest.approx(0.6)
    )
    assert (found.zoom, found.elastic, found.translate, found.crop, found.flip_axes) == (0, 0, 0, 0, ())
    assert stronger(AugmentPlan(noise=0.1), 0.0).noise == 0


def test_batches_of_unlabelled_cases_follow_from_seed_member_and_step(bench: Bench) -> None:
    plan = override(PLAN, {"train.batch": 3})
    task = tasks.get("classify")
    draw = beside(task, plan, bench.examples, 0, ratio=2.0)
    assert draw.size == 6 and isinstance(draw, Beside)
    epoch = [k for step in range(4) for k in draw.order(step)]
    assert sorted(epoch) == sorted([*range(8)] * 3), "each case once an epoch"
    assert draw.order(5) == beside(task, plan, bench.examples, 0, ratio=2.0).order(5)
    assert any(draw.order(s) != beside(task, plan, bench.examples, 1, ratio=2.0).order(s) for s in range(3))
    assert draw(0, torch.device("cpu")).targets == {}, "no opinion looks at a target"


# --- recipes


@pytest.mark.parametrize("name", RECIPES)
def test_unlabelled_cases_are_learned_from_and_never_their_targets(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    settings = {"train.recipe": name, "train.steps": 4, "train.recipe_options.ramp": 0}
    done = train(bench, tmp_path / "a", settings)
    plain = train(bench, tmp_path / "b", settings | {"train.recipe_options.weight": 0})
    assert any(not torch.equal(v, plain.weights[k]) for k, v in done.weights.items())
    wrong = replace(
        bench,
        examples=tuple(
            replace(e, targets={"label": e.targets["label"][::-1].copy()}) if e.case_id in LACKING else e
            for e in bench.examples
        ),
        folder=tmp_path / "c",
    )
    told = wrong.train(settings, unlabelled=LACKING)
    assert all(torch.equal(v, told.weights[k]) for k, v in done.weights.items()), "theirs are not looked at"


class Press:
    """A progress that raises when so many steps are done."""

    def __init__(self, after: int) -> None:
        self.left = after

    def start(self, name: str, total: int | None = None) -> None: ...

    def finish(self, name: str) -> None: ...

    def note(self, text: str) -> None: ...

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        self.left -= done
        if done and self.left == 0:
            raise Interrupted("as if the power went")


@pytest.mark.parametrize(
    ("name", "options"),
    [("meanteacher", {}), ("fixmatch", {}), ("fixmatch", {"adapt": "flex"}), ("crosspseudo", {})],
)
def test_an_interrupted_training_goes_on_to_the_bit(
    bench: Bench, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    settings = {"train.recipe": name, "train.steps": 4, "train.checkpoint_every_s": 1e-9}
    settings |= {f"train.recipe_options.{k}": v for k, v in options.items()}
    straight = train(bench, tmp_path / "straight", settings)
    with pytest.raises(Interrupted):
        train(bench, tmp_path / "cut", settings, progress=Press(3))
    assert checkpoint.load(tmp_path / "cut" / "checkpoints" / "member-0.pt").step == 2
    again = train(bench, tmp_path / "cut", settings)
    assert all(torch.equal(v, straight.weights[k]) for k, v in again.weights.items())


def test_two_nets_differ_and_the_first_answers(bench: Bench) -> None:
    recipe = recipes.begin(member(bench, "crosspseudo"))
    assert isinstance(recipe, CrossPseudo)
    names = [n for n, p in recipe.stepper.model.named_parameters() if p.ndim > 1]
    first, second = (dict(net.model.named_parameters()) for net in (recipe.stepper, recipe.second))
    assert names and all(not torch.equal(first[n], second[n]) for n in names)
    assert recipe.draw.order(0) != recipe.draw_second.order(0) or recipe.draw.order(
        1
    ) != recipe.draw_second.order(1)
    before = {n: p.detach().clone() for n, p in second.items()}
    recipe.step(0, 1e-2)
    assert any(not torch.equal(before[n], second[n]) for n in names), "the second learns, too"
    assert set(recipe.weights()) == set(recipe.stepper.model.state_dict())
    given = replace(recipe.given, start=recipe.stepper.model.state_dict())
    alike = CrossPseudo(given, recipe.knobs)
    alike.step(0, 1e-2)
    one, two = (dict(net.model.named_parameters()) for net in (alike.stepper, alike.second))
    assert any(not torch.equal(one[n], two[n]) for n in names), "with the same weights to begin from, too"


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("sampling", ["whole", "patches"])
def test_masks_are_learned_without_masks(bench: Bench, tmp_path: Path, name: str, sampling: str) -> None:
    examples = without(masked(bench.examples))
    settings = {
        "train.recipe": name,
        "train.steps": 3,
        "data.sampling": sampling,
        "train.recipe_options.ramp": 0,
    }
    size = [1, 16, 16] if sampling == "whole" else [1, 8, 16]
    plan = override(MASK_PLAN, {**settings, "data.size": size, "augment.mixup": 0, "train.foreground": 0.5})
    task, given = tasks.get("segment"), {"validate": None, "member": 0, "progress": Silent()}
    done = loop.train(task, plan, MASK_STATE, examples, folder=tmp_path / "a", unlabelled=LACKING, **given)
    alone = override(plan, {"train.recipe_options.weight": 0})
    plain = loop.train(task, alone, MASK_STATE, examples, folder=tmp_path / "b", unlabelled=LACKING, **given)
    assert any(not torch.equal(v, plain.weights[k]) for k, v in done.weights.items())


def test_numbers_and_several_labels_have_a_teacher_and_no_likeliest(bench: Bench, tmp_path: Path) -> None:
    numbers = tuple(replace(e, targets={"number": np.array([0.5], np.float32)}) for e in bench.examples)
    several = State({**STATE.values, "kind": "multilabel"})
    plans = (
        (
            tasks.get("regress"),
            override(PLAN, {"task.name": "regress", "loss.name": "smooth_l1"}),
            NUMBER_STATE,
            numbers,
        ),
        (tasks.get("classify"), PLAN, several, bench.examples),
    )
    for k, (task, plan, state, examples) in enumerate(plans):
        given = {"validate": None, "member": 0, "progress": Silent(), "unlabelled": LACKING}
        taught = override(plan, {"train.recipe": "meanteacher", "train.steps": 2, "augment.mixup": 0})
        done = loop.train(task, taught, state, without(examples), folder=tmp_path / f"a{k}", **given)
        assert done.last_step == 2
        refused = override(taught, {"train.recipe": "fixmatch"})
        with pytest.raises(PlanError, match=r"takes the likeliest of several for true.*meanteacher"):
            loop.train(task, refused, state, without(examples), folder=tmp_path / f"b{k}", **given)


def test_what_classes_labels_and_numbers_say_by_hand() -> None:
    task, raw = tasks.get("classify"), torch.tensor([[0.0, math.log(3.0)]])
    assert torch.allclose(task.opinion(raw, STATE).values, torch.tensor([[0.25, 0.75]]))  # type: ignore[union-attr]
    several = State({**STATE.values, "kind": "multilabel"})
    opinion = task.opinion(raw, several)
    assert opinion is not None and opinion.choice == "each"
    assert torch.allclose(opinion.values, torch.tensor([[0.5, 0.75]]))
    batch = collate([Example("a", {"image": np.zeros((1, 1, 2, 2), np.float32)})])
    found = task.taught(batch, Opinion(torch.tensor([[0.4, 0.75]]), "each"), torch.tensor([True]))
    assert found.targets["label"].tolist() == [[0, 1]]
    mask = tasks.get("segment").taught(
        batch,
        Opinion(torch.tensor([[[[[0.9, 0.2]]], [[[0.1, 0.8]]]]]).reshape(1, 2, 1, 1, 2), "one"),
        torch.tensor([[[[False, True]]]]),
    )
    assert mask.targets["mask"].tolist() == [[[[[-1, 1]]]]] and mask.on_grid == {"mask"}


def test_a_task_that_tells_nothing_is_refused_in_words(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(tasks.get("classify")), "opinion", lambda self, raw, state: None)
    with pytest.raises(PlanError, match=r"compares what models say, and classify does not tell it"):
        recipes.begin(member(bench, "meanteacher")).step(0, 1e-3)
