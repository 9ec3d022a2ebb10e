"""count: densities whose sums are counts, in training, over tiles, on the way back, and as an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vesalius.core.answers.map import Map
from vesalius.core.bundle import State
from vesalius.core.case import Box, Case
from vesalius.core.census import census
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.image import Image
from vesalius.core.plan import AugmentPlan, DataPlan, Normalisation, Plan, override, parse_plan
from vesalius.infer import runs
from vesalius.infer.doubting import unfit
from vesalius.infer.runs.contract import Members
from vesalius.learn.examples import augmented, cut_out
from vesalius.plan.facts import facts
from vesalius.plan.fingerprint import fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.summary import summary
from vesalius.prepare.batch import Batch, Example, collate
from vesalius.prepare.case import prepare
from vesalius.prepare.mass import COUNTS, DENSITY
from vesalius.tasks import contract
from vesalius.tasks._counter import Counter, terms
from vesalius.tasks._density import drawn, shares
from vesalius.tasks._things import COUNT, KINDS, MASS, THINGS, WHERE, Grid, better_scale

TASK = contract.get("count")
OPTIONS = {"kernel": 0.15, "narrowest": 0.7, "count_weight": 0.1}
LABELS = [
    {"value": 1, "name": "red", "mean": 3.0, "high": 6.0, "peak": 0.05, "blank": 1e-3, "energy": 0.01, "usual": 2.0},
    {"value": 2, "name": "white", "mean": 1.0, "high": 2.0, "peak": 0.02, "blank": 3e-4, "energy": 0.01, "usual": 1.0},
]  # fmt: skip
STATE = State({"target": "boxes", "placed": True, "labels": LABELS, "options": OPTIONS})


def planned() -> Plan:
    return parse_plan(
        {
            "task": {"name": "count", "target": "boxes"},
            "data": {
                "dims": 2, "channels": 1, "sampling": "patches", "size": [1, 32, 32],
                "normalise": [{"method": "zscore"}],
            },
            "net": {"name": "unet"},
            "loss": {"name": "mse"},
            "train": {"steps": 3, "batch": 2},
        }
    )  # fmt: skip


def box(y: float, x: float, size: float, label: str = "red", *, crowd: bool = False) -> Box:
    return Box((0.0, y - size / 2, x - size / 2), (1.0, y + size / 2, x + size / 2), label, crowd)


def picture(boxes: tuple[Box, ...], shape: tuple[int, int] = (48, 64)) -> Case:
    array = np.zeros((1, 1, *shape), np.float32)
    for one in boxes:
        (_, a, b), (_, c, d) = one.low, one.high
        array[0, 0, int(max(a, 0)) : int(c), int(max(b, 0)) : int(d)] += 1
    return Case("a", {"image": Image(array)}, targets={"boxes": boxes})


def encoded(case: Case, *, size: tuple[int, int, int] = (1, 48, 64), sampling: str = "patches") -> Example:
    flat = Normalisation(method="fixed", mean=0.0, sd=1.0)
    plan = DataPlan(dims=2, channels=1, sampling=sampling, size=size, normalise=(flat,))  # type: ignore[arg-type]
    reference = case.images["image"]
    assert isinstance(reference, Image)
    return TASK.encode(case, prepare(case, plan), reference, STATE)


def density_of(example: Example | Batch) -> Tensor:
    batch = collate([example]) if isinstance(example, Example) else example
    things, kinds, each = (batch.ragged[name][0] for name in (THINGS, KINDS, MASS))
    assert things is not None and kinds is not None and each is not None
    z, y, x = batch.images["image"].shape[-3:]
    return drawn(things, kinds, each, labels=2, shape=(z, y, x), share=0.15, narrowest=0.7)


def test_the_kernel_is_exact_in_each_voxel() -> None:
    # against torch's own normal law, voxel by voxel
    law = torch.distributions.Normal(5.3, 1.7)
    by_hand = torch.stack(
        [law.cdf(torch.tensor(k + 1.0)) - law.cdf(torch.tensor(float(k))) for k in range(9)]
    )
    found = shares(torch.tensor([5.3]), torch.tensor([1.7]), 9)[0]
    assert torch.allclose(found.float(), by_hand, atol=1e-6)


def test_each_thing_counts_for_one_also_at_the_border_of_the_image() -> None:
    boxes = (box(20, 20, 12), box(3, 5, 10), box(46, 62, 8), box(30, 40, 20, "white"), box(25.5, 1, 2))
    found = density_of(encoded(picture(boxes))).sum(dim=(1, 2, 3))
    assert found.tolist() == pytest.approx([4.0, 1.0], abs=1e-5)


def test_in_a_larger_grid_what_falls_into_the_padding_is_not_lost() -> None:
    example = encoded(picture((box(3, 5, 10), box(20, 62, 8))), size=(1, 64, 96))
    known = torch.from_numpy(example.targets[WHERE]) >= 0
    assert int(known.sum()) == 48 * 64
    assert float((density_of(example) * known).sum()) == pytest.approx(2.0, abs=1e-5)


def test_patches_share_a_thing_that_lies_on_their_border() -> None:
    example = encoded(picture((box(24, 31, 12), box(10, 12, 9))))
    halves = [cut_out(example, (0, 0, a), (1, 48, 32)) for a in (0, 32)]
    each = [float(density_of(half).sum()) for half in halves]
    assert sum(each) == pytest.approx(2.0, abs=1e-5)
    law = torch.distributions.Normal(31.0, 0.15 * 12)  # how much of the first lies left of the border
    assert each[0] == pytest.approx(1.0 + float(law.cdf(torch.tensor(32.0))), abs=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"flip_axes": ("y", "x")},
        {"rotate_deg": 40.0},
        {"zoom": 0.2},
        {"flip_axes": ("x",), "rotate_deg": 15.0, "zoom": 0.15, "shear": 0.1},
    ],
)
def test_things_are_still_counted_once_when_the_image_is_changed(changes: dict[str, object]) -> None:
    example = encoded(picture((box(24, 31, 8), box(20, 24, 6), box(28, 38, 9, "white"))))
    plan = AugmentPlan(probability=1.0, **changes)  # type: ignore[arg-type]
    told = planned().model_copy(update={"augment": plan})
    for seed in range(5):
        batch = augmented(collate([example]), told, torch.Generator().manual_seed(seed))
        found = density_of(batch)
        assert found.sum(dim=(1, 2, 3)).tolist() == pytest.approx([2.0, 1.0], abs=2e-3)
        shown = batch.images["image"][0, 0, 0]
        middle = [
            float((found[1, 0] * i).sum())
            for i in torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
        ]
        assert float(shown[round(middle[0]), round(middle[1])]) > 0.5  # it still lies on what is seen


def test_a_crowd_teaches_nothing_and_is_not_counted() -> None:
    boxes = (box(12, 12, 10), box(30, 40, 20, crowd=True), box(30, 40, 6, "white"))
    example = encoded(picture(boxes))
    where = torch.from_numpy(example.targets[WHERE])
    assert (where[0, 0, 20:40, 30:50] == -1).all() and int((where == -1).sum()) == 400
    assert np.isnan(example.targets[COUNT][0]) and example.targets[COUNT][1] == 1
    assert float(density_of(example)[0].sum()) == pytest.approx(1.0, abs=1e-5)
    said = census(boxes)
    assert said["red"] is None and said["white"] == 1.0 and said["platelet"] == 0.0


class Told(nn.Module):
    """A net that says what it is told, for its loss."""

    dims, out_channels = 2, 2

    def forward(self, x: Tensor) -> Tensor:
        return x


def counter(**changes: float) -> Counter:
    held = {name: [float(one[name]) for one in LABELS] for name in ("peak", "blank", "energy", "usual")}  # type: ignore[arg-type]
    told = {"count_weight": 0.1, "kernel": 0.15, "narrowest": 0.7, **changes}
    from vesalius import losses

    return Counter(Told(), losses.build("mse"), **held, **told)


class Said(Counter):
    """A counter whose densities are given."""

    said: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return self.said


def said(density: Tensor) -> Said:
    made = counter()
    made.__class__ = Said
    made.said = density  # type: ignore[attr-defined]
    return made  # type: ignore[return-value]


def test_the_truth_has_no_loss_and_what_is_unknown_none_either() -> None:
    boxes = (box(12, 12, 10), box(30, 40, 20, crowd=True))
    batch = collate([encoded(picture(boxes))])
    right = density_of(batch)[None]
    assert sum(float(t) for t in terms(said(right), batch).values()) == pytest.approx(0.0, abs=1e-9)
    wild = right.clone()
    wild[:, :, :, 20:40, 30:50] += 7.0
    assert sum(float(t) for t in terms(said(wild), batch).values()) == pytest.approx(0.0, abs=1e-9)
    wild[:, :, :, 0, 0] += 1.0
    # one too many of each: 0.1 × the mean of ½ (1/2)² and ½ (1/1)²
    assert float(terms(said(wild), batch)["counts"]) == pytest.approx(0.03125, rel=1e-4)


def test_where_only_numbers_are_known_the_integral_is_held_against_them() -> None:
    numbers = State({**STATE.values, "target": "counts", "placed": False})
    case = replace(picture(()), targets={"counts": {"red": 5.0}})
    flat = Normalisation(method="fixed", mean=0.0, sd=1.0)
    plan = DataPlan(dims=2, channels=1, sampling="whole", size=(1, 64, 64), normalise=(flat,))
    reference = case.images["image"]
    assert isinstance(reference, Image)
    batch = collate([TASK.encode(case, prepare(case, plan), reference, numbers)])
    density = torch.full((1, 2, 1, 64, 64), 5 / (48 * 64))
    assert list(terms(said(density), batch)) == ["counts"]
    assert float(terms(said(density), batch)["counts"]) == pytest.approx(0.0, abs=1e-6)
    assert float(terms(said(2 * density), batch)["counts"]) == pytest.approx(5 / 2 - 0.5, rel=1e-4)


def test_a_density_is_never_negative_and_begins_at_the_usual_count() -> None:
    from vesalius import losses, nets

    torch.manual_seed(0)
    net = nets.build("unet", dims=2, in_channels=1, scale=0.25, size=(48, 64))
    held = {name: [float(one[name]) for one in LABELS] for name in ("peak", "blank", "energy", "usual")}  # type: ignore[arg-type]
    model = Counter(net, losses.build("mse"), **held, count_weight=0.1, kernel=0.15, narrowest=0.7)
    density = model(torch.randn(2, 1, 1, 48, 64)).detach()
    assert density.shape == (2, 2, 1, 48, 64) and float(density.min()) >= 0
    assert density[0].sum(dim=(1, 2, 3)).tolist() == pytest.approx([3.07, 0.92], rel=0.5)


class Bright(nn.Module):
    """A density that is the image itself."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, 2 * x], dim=1)


class Seen(type(TASK)):  # type: ignore[misc]
    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        return model(batch.images["image"])


@pytest.mark.parametrize("tile", [(1, 32, 32), (1, 48, 80), (1, 200, 150)])
def test_a_count_does_not_depend_on_the_tiles(tile: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    array = rng.random((1, 1, 130, 97)).astype(np.float32)
    flat = Normalisation(method="fixed", mean=0.0, sd=1.0)
    data = DataPlan(dims=2, channels=1, sampling="patches", size=tile, normalise=(flat,))
    case = Case("a", {"image": Image(array)})
    prepared = prepare(case, data)
    example = TASK.encode(case, prepared, Image(array), STATE)
    plan = planned().model_copy(update={"data": data})
    members = Members(Seen(), [Bright()], plan, torch.device("cpu"))
    run = runs.get("density")
    found = run.answer(members, example, prepared.undo)
    total = float(array.sum())
    assert found[COUNTS][0].tolist() == pytest.approx([total, 2 * total], rel=1e-4)
    (alone,) = run.raw(members, [example])
    assert np.allclose(alone, found[COUNTS], rtol=1e-6)
    assert np.allclose(found[DENSITY].sum(axis=(1, 2, 3), dtype=np.float64), found[COUNTS][0], rtol=1e-3)
    answer = TASK.decode(found, STATE, {"scale": {"red": 1.5}}, Image(array), undo=prepared.undo)
    assert list(answer.values) == ["red", "white"] and answer.values["red"].unit == "1"
    assert answer.values["red"].x == pytest.approx(1.5 * total, rel=1e-4)
    shown = answer.parts["red_density"]
    assert isinstance(shown, Map) and shown.unit == "1/pixel" and shown.image.shape == (1, 130, 97)
    assert float(shown.image.array.sum(dtype=np.float64)) == pytest.approx(answer.values["red"].x, rel=1e-3)
    assert TASK.decode(alone, STATE, {}, Image(array)).parts.keys() == {"red", "white"}


def test_a_count_far_beyond_all_that_was_learned_from_is_marked() -> None:
    near, far = (
        TASK.decode(np.array([[x, 1.0]]), STATE, {}, Image(np.zeros((1, 1, 4, 4)))) for x in (11.0, 13.0)
    )
    assert near.outside is None
    assert far.outside == ("red count 13, learned from at most 6",)


def test_a_bias_is_corrected_only_where_unseen_cases_say_that_it_helps() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(5, 30, 40).astype(float)
    assert better_scale(truth * 0.8, truth) == pytest.approx(1.25)
    assert better_scale(truth, truth) is None
    assert better_scale(truth[:5] * 0.5, truth[:5]) is None  # too few
    assert better_scale(truth * rng.lognormal(0.0, 0.5, 40) / np.exp(0.125), truth) is None  # noise alone
    raw = [np.array([[t * 0.8, 1.0]]) for t in truth]
    truths = [census((*[box(9, 9, 4)] * int(t), box(9, 9, 4, "white"))) for t in truth]
    assert TASK.calibrate(raw, truths, state=STATE, plan=planned()) == {"scale": {"red": pytest.approx(1.25)}}


def test_what_cannot_be_counted_is_refused_in_words() -> None:
    info = TargetInfo("n", "number")
    cases = tuple(
        Case(str(k), {"image": Image(np.zeros((1, 1, 8, 8)))}, targets={"n": n})
        for k, n in enumerate((3.0, -1.0))
    )
    cohort = Cohort(Path(), "x", cases, {"n": info})
    assert "not negative" in TASK.check(cohort, info)[0]
    known = tuple(
        replace(cases[0], id=str(k), targets={"n": n}) for k, n in enumerate((1.0, 4, 2, 0, 3, 999))
    )
    assert "in place of 999" in TASK.check(replace(cohort, cases=known), info)[0]
    assert TASK.check(replace(cohort, cases=known[:-1]), info) == ()
    volume = replace(info, unit="ml")
    assert "'n' is in ml" in TASK.check(replace(cohort, cases=known[:-1], targets={"n": volume}), volume)[0]
    same = tuple(replace(c, targets={"n": 2.0}) for c in cases)
    assert "varies" in TASK.check(replace(cohort, cases=same), info)[0]
    boxes = TargetInfo("boxes", "boxes", (Label(1, "red"),))
    assert "at least two" in TASK.check(cohort, boxes)[0]


def test_patches_of_a_number_are_refused() -> None:
    with pytest.raises(PlanError, match="whole image"):
        TASK.check_plan(planned(), TargetInfo("n", "number"))


def test_counts_can_be_doubted_as_numbers_are() -> None:
    assert unfit(TASK) is None


def test_the_size_of_a_density_follows_from_the_plan() -> None:
    plan = override(
        planned().model_copy(update={"fingerprint": {"shape_median": (1, 480, 640)}}),
        {"data.sampling": "whole", "data.size": [1, 192, 256]},
    )
    grid = Grid.of(plan)
    assert (grid.dims, grid.factor, grid.voxels, grid.seen) == (2, 0.4, pytest.approx(192 * 256), 1.0)
    found = grid.sizes(12.0, 40.0, kernel=0.15, narrowest=0.7)  # a Gaussian of 6 pixels
    assert found["peak"] == pytest.approx(1 / (2 * np.pi * 36)) and found["usual"] == 12.5
    assert found["blank"] == pytest.approx(12 / (192 * 256))
    y, x = np.mgrid[-60:61, -60:61]
    drawn_once = np.exp(-(y**2 + x**2) / 72)  # by hand: its mean square over the image, twelve times
    assert found["energy"] == pytest.approx(12 * float((drawn_once**2).sum()) / (192 * 256), rel=1e-3)
    inside = Grid.of(override(plan, {"data.sampling": "patches"}))
    assert (inside.factor, inside.seen) == (1.0, pytest.approx(192 * 256 / (480 * 640)))


def test_pictures_are_learned_from_whole_where_things_are_still_seen_in_them() -> None:
    machine = Machine(cores=2, memory=8 << 30, gpu=None, gpu_memory=0, bf16=False)
    info = TargetInfo("boxes", "boxes", (Label(1, "red"), Label(2, "white")))
    cases = [
        replace(picture((box(20, 20, size), box(100, 200, 100, "white")), (480, 640)), id=str(size))
        for size in (21, 22, 23)
    ]
    sizes = {}
    for scale in (1.0, 0.5):
        things = [("red", (1.0, 22 * scale, 22 * scale)), ("white", (1.0, 100.0, 100.0))]
        measured = {c.id: facts(c.images["image"], None, things=things) for c in cases}  # type: ignore[arg-type]
        cohort = Cohort(Path(), "x", tuple(cases), {"boxes": info})
        prints = fingerprint(summary(cohort, measured, cases, info), info)
        draft = TASK.defaults(prints, machine, info)
        sizes[scale] = (draft.values["data.sampling"], draft.values["data.size"])
    assert sizes[1.0] == ("whole", [1, 192, 256])  # 22 pixels are 8.8 in them
    assert sizes[0.5][0] == "patches" and max(sizes[0.5][1]) <= 256
    draft = TASK.defaults(prints, machine, TargetInfo("n", "number"))
    assert draft.values["data.sampling"] == "whole" and draft.values["augment.zoom"] == 0
    assert draft.values["task.options.coverage"] == 0.9 and draft.values["train.select"] == "last"
