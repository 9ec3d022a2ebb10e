"""Doubt: what opinions are asked, that what they draw is the case's own, and figures by hand on fields and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vesalius.answers import contract as answers
from vesalius.core import registry
from vesalius.core.answers.map import Map
from vesalius.core.bundle import Bundle, Stage, State
from vesalius.core.case import Case
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.image import Image
from vesalius.core.plan import (
    AugmentPlan,
    DataPlan,
    InferPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
)
from vesalius.infer import opinions
from vesalius.infer.opinions import dropout
from vesalius.infer.opinions.contract import Way
from vesalius.infer.predictor import Loaded, Predictor
from vesalius.tasks import contract as tasks

CPU = torch.device("cpu")
CLASSES = State(
    {"target": "t", "kind": "exclusive", "labels": [{"value": 0, "name": "a"}, {"value": 1, "name": "b"}]}
)
NUMBERS = State(
    {"target": "age", "unit": "a", "mean": 50.0, "sd": 10.0, "low": 0, "high": 99, "covariates": {}}
)
LABELS = State(
    {"target": "m", "share": [], "labels": [{"value": 7, "name": "x", "code": None, "colour": None}]}
)


class Work(nn.Module):
    """A model that is a function of the image and, maybe, of covariates."""

    def __init__(self, work: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.work = work

    def forward(self, x: Tensor, *_: Any) -> Tensor:
        return self.work(x)


def plan(
    task: str, *, size: tuple[int, int, int] = (1, 8, 8), flips: tuple[Any, ...] = (), **infer: Any
) -> Plan:
    flat = size[0] == 1
    return Plan(
        task=TaskPlan(name=task, target="t"),
        data=DataPlan(
            dims=2 if flat else 3,
            channels=1,
            sampling="patches" if task == "segment" else "whole",
            size=size,
            normalise=(Normalisation(method="fixed", mean=0, sd=1),),
        ),
        augment=AugmentPlan(flip_axes=flips),
        net=NetPlan(name="resnet-10"),
        loss=LossPlan(name="mse"),
        train=TrainPlan(steps=1, batch=1),
        infer=InferPlan(**infer),
    )


def predictor(planned: Plan, state: State, *models: nn.Module, calibration: Any = None) -> Predictor:
    stage = Stage("one", planned, state, tuple("w" * len(models)), calibration=calibration or {})
    found = Predictor.__new__(Predictor)
    found.bundle, found.device = Bundle(Path("nowhere"), (stage,), "", "the hash", "a test"), CPU
    found.stages = (Loaded(stage, tasks.get(planned.task.name), tuple(m.eval() for m in models)),)
    return found


def picture(seed: int = 0, shape: tuple[int, ...] = (1, 1, 8, 8), **more: Any) -> Image:
    return Image(np.random.default_rng(seed).normal(size=shape).astype(np.float32), **more)


def case(image: Image, name: str = "c") -> Case:
    return Case(name, {"image": image})


def logits(p: float) -> nn.Module:
    return Work(lambda x: torch.log(torch.tensor([[1 - p, p]])).expand(len(x), 2))


@pytest.mark.parametrize("name", sorted(registry.names(opinions.KIND)))
def test_every_way_is_found_and_holds_nothing(name: str) -> None:
    assert isinstance(opinions.get(name), Way) and not vars(opinions.get(name))


def test_members_are_asked_one_by_one() -> None:
    ask = predictor(plan("classify"), CLASSES, logits(0.9), logits(0.5))
    plain, found = ask(case(picture())), ask.doubting("members")(case(picture()))
    assert np.array_equal(plain.p, found.p) and plain.doubt is None  # type: ignore[attr-defined]
    h = [-sum(q * np.log(q) for q in (p, 1 - p)) for p in (0.9, 0.5, 0.7)]
    figures = found.doubt.figures  # type: ignore[union-attr]
    assert figures["entropy"] == pytest.approx(h[2]) and figures["expected_entropy"] == pytest.approx(
        (h[0] + h[1]) / 2
    )
    assert figures["mutual_information"] == pytest.approx(h[2] - (h[0] + h[1]) / 2, abs=1e-6)
    assert figures["p_b_sd"] == pytest.approx(0.4 / np.sqrt(2)) and found.doubt.samples == 2  # type: ignore[union-attr]
    columns = answers.columns(found)
    assert answers.values(found)["doubt_mutual_information"] == figures["mutual_information"]
    assert columns["doubt_mutual_information"] == f"{figures['mutual_information']:.6g}"
    assert list(answers.columns(plain)) == [c for c in columns if not c.startswith("doubt_")]
    assert answers.summary(found)["doubt"]["way"] == "members" and "doubt" not in answers.summary(plain)
    assert [x.name for x in answers.lines(found)][2:5] == [
        "doubt: entropy", "doubt: expected entropy", "doubt: mutual information",
    ]  # fmt: skip


def test_samples_are_calibrated_as_answers_are() -> None:
    heated = predictor(plan("classify"), CLASSES, logits(0.9), logits(0.5), calibration={"temperature": 2.0})
    p = [1 / (1 + np.sqrt(1 / 9)), 0.5]
    found = heated.doubting("members")(case(picture()))
    assert found.doubt.figures["p_b_sd"] == pytest.approx(abs(p[0] - p[1]) / np.sqrt(2))  # type: ignore[union-attr]


def test_a_numbers_doubt_is_in_its_unit() -> None:
    models = [Work(lambda x, v=v: torch.full((len(x), 1), v)) for v in (0.1, 0.3, 0.8)]  # type: ignore[misc]
    found = predictor(plan("regress"), NUMBERS, *models).doubting("members")(case(picture()))
    assert found.doubt.figures["sd"] == pytest.approx(10 * np.std([0.1, 0.3, 0.8], ddof=1))  # type: ignore[union-attr]
    assert found.doubt.units == {"sd": "a"}  # type: ignore[union-attr]


def test_mirror_images_are_those_that_training_saw() -> None:
    corner = Work(lambda x: torch.stack([x[:, 0, 0, 0, 0], -x[:, 0, 0, 0, 0]], dim=1))
    image = picture()
    found = predictor(plan("classify", flips=("x",), mirror=("x",)), CLASSES, corner).doubting("mirror")(
        case(image)
    )
    p = 1 / (1 + np.exp(2 * image.array[0, 0, 0, [0, -1]].astype(np.float64)))
    assert found.doubt.samples == 2  # type: ignore[union-attr]
    assert found.doubt.figures["p_b_sd"] == pytest.approx(p.std(ddof=1), rel=1e-5)  # type: ignore[union-attr]
    four = predictor(plan("classify", flips=("z", "y", "x")), CLASSES, corner).doubting("mirror")
    assert four(case(image)).doubt.samples == 4, "a picture has no z to mirror"  # type: ignore[union-attr]
    with pytest.raises(PlanError, match="no axis may be mirrored"):
        predictor(plan("classify", flips=()), CLASSES, corner).doubting("mirror")


class Net(nn.Module):
    """A small net with batch normalisation and both sorts of dropout."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.norm, self.maps, self.units = nn.BatchNorm2d(1), nn.Dropout2d(p), nn.Dropout(p)
        self.conv, self.head = nn.Conv2d(1, 6, 3), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.maps(self.conv(self.norm(x[:, :, 0])))
        out: Tensor = self.head(self.units(seen.mean(dim=(2, 3))))
        return out


def test_dropout_alone_is_at_work_and_on_the_same_weights() -> None:
    torch.manual_seed(0)
    model = Net().eval()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    draws = dropout.Draws()
    twin = dropout.dropping(model, draws)
    assert all(a is b for a, b in zip(model.parameters(), twin.parameters(), strict=True)), (
        "no weight is copied"
    )
    assert not twin.norm.training and isinstance(model.units, nn.Dropout) and not model.units.training
    x = torch.randn(1, 1, 1, 8, 8)
    draws.begin(1, place=0)
    first = twin(x)
    assert not torch.equal(first, twin(x)), "what is dropped differs from pass to pass"
    draws.begin(1, place=0)
    torch.rand(100)  # nobody else's draws matter
    assert torch.equal(first, twin(x))
    draws.begin(1, place=1)
    assert not torch.equal(first, twin(x))
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items()), (
        "no statistics were learned"
    )


def test_whole_channels_are_dropped_where_the_layer_says_so_and_the_mean_stays() -> None:
    draws = dropout.Draws()
    draws.begin(3, place=0)
    x = torch.ones(2, 4000, 3, 3)
    maps = dropout.Dropping(0.25, draws, channels=True)(x)
    assert bool(
        ((maps == 0).all(dim=(2, 3)) | torch.isclose(maps, torch.tensor(4 / 3)).all(dim=(2, 3))).all()
    )
    assert float(maps.mean()) == pytest.approx(1, abs=0.03) and float(
        (maps == 0).float().mean()
    ) == pytest.approx(0.25, abs=0.03)
    units = dropout.Dropping(0.25, draws, channels=False)(x)
    assert len(units[0, 0].unique()) + len(units[0, 1].unique()) > 2


def test_the_same_case_has_the_same_doubt_whatever_is_asked_beside_it() -> None:
    torch.manual_seed(0)
    ask = predictor(plan("classify"), CLASSES, Net(), Net()).doubting("dropout", 7)
    one, other = picture(1), picture(2)
    first = ask(case(one)).doubt
    second = ask(case(other)).doubt
    assert first is not None and second is not None and first.samples == 7
    torch.manual_seed(9)
    again = ask.together([case(other, "x"), case(one, "another name")])
    assert again[0].doubt.figures == second.figures and again[1].doubt.figures == first.figures  # type: ignore[union-attr]
    assert first.figures != second.figures and first.figures["mutual_information"] > 0
    assert not ask.joins and predictor(plan("classify"), CLASSES, Net()).joins


def test_dropout_comes_near_the_whole_distribution() -> None:
    """Of one dropped unit the opinions are two; their mean is known, and their spread is Bernoulli's."""

    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.25)

        def forward(self, x: Tensor) -> Tensor:
            held: Tensor = self.drop(torch.ones(len(x), 1))
            return torch.cat([0 * held, held], dim=1)

    found = predictor(plan("classify"), CLASSES, One()).doubting("dropout", 1000)(case(picture()))
    sides = np.array([0.5, 1 / (1 + np.exp(-4 / 3))])
    assert found.doubt.figures["p_b_sd"] == pytest.approx(  # type: ignore[union-attr]
        np.sqrt(0.25 * 0.75) * (sides[1] - sides[0]), rel=0.1
    )


@pytest.mark.parametrize(
    ("way", "samples", "says"),
    [
        ("members", None, "ensemble of one"),
        ("dropout", None, "no dropout layer"),
        ("mirror", None, "no axis"),
    ],
)
def test_what_cannot_be_is_one_line(way: str, samples: int | None, says: str) -> None:
    with pytest.raises(PlanError, match=says) as error:
        predictor(plan("classify"), CLASSES, logits(0.5)).doubting(way, samples)
    assert "\n" not in str(error.value) and error.value.hint


def test_unknown_ways_and_numbers_of_samples() -> None:
    two = predictor(plan("classify"), CLASSES, Net(), Net())
    with pytest.raises(UnknownName, match="members"):
        two.doubting("member")
    with pytest.raises(PlanError, match="as many samples as there are members"):
        two.doubting("members", 20)
    with pytest.raises(PlanError, match="--samples"):
        two.doubting("dropout", 1)
    assert two.ways_of_doubting == ("dropout", "members")


def constant(*p: float) -> nn.Module:
    """A field whose chances are the same at each point of the right half, and sure of nothing on the left."""

    def work(x: Tensor) -> Tensor:
        even = torch.zeros_like(x)
        field = torch.log(torch.tensor(p)).view(1, -1, 1, 1, 1).expand(len(x), len(p), *x.shape[2:])
        return torch.where(x[:, :1] > 0.5, field, torch.cat([even + 3, even], dim=1))

    return Work(work)


def halves(shape: tuple[int, int, int] = (6, 20, 20), **more: Any) -> Image:
    array = np.zeros((1, *shape), np.float32)
    array[..., shape[2] // 2 :] = 1
    return Image(array, affine=np.diag([1.0, 2.0, 2.0, 1.0]), **more)


def test_a_field_by_hand_tile_by_tile() -> None:
    seg = plan("segment", size=(6, 8, 8), overlap=0.5, batch=3)
    image = halves()
    found = predictor(seg, LABELS, constant(0.1, 0.9), constant(0.6, 0.4)).doubting("members")(case(image))
    right = image.array[0] > 0
    h = [-sum(q * np.log(q) for q in (p, 1 - p)) for p in (0.9, 0.4, 0.65)]
    maps = {name: found.parts[name] for name in found.doubt.maps}  # type: ignore[union-attr]
    assert list(maps) == ["entropy", "mutual_information"] and all(isinstance(m, Map) for m in maps.values())
    entropy, mutual = (m.image.array[0] for m in maps.values())  # type: ignore[attr-defined]
    assert np.allclose(entropy[right], h[2], atol=1e-5)
    assert np.allclose(mutual[right], h[2] - (h[0] + h[1]) / 2, atol=1e-5) and np.allclose(
        mutual[~right], 0, atol=1e-6
    )
    figures = found.doubt.figures  # type: ignore[union-attr]
    voxels = int(right.sum())  # one member calls all of them, the other none
    assert figures["x_ml_sd"] == pytest.approx(voxels * 4 / 1000 / np.sqrt(2), rel=1e-6)
    near = np.zeros_like(right)
    near[..., 8:] = True
    assert figures["entropy"] == pytest.approx(entropy[near].mean(), rel=1e-5)
    assert [name for name, _ in answers.images(found)] == ["", "entropy", "mutual_information"]
    assert found.parts["entropy"].case_id == "c" and np.array_equal(
        maps["entropy"].image.affine, image.affine
    )  # type: ignore[attr-defined,arg-type]


def test_members_that_are_alike_differ_nowhere_even_where_tiles_do() -> None:
    def work(x: Tensor) -> Tensor:
        ramp = torch.linspace(-4, 4, x.shape[-1]).expand_as(
            x
        )  # a tile's own place decides, so that tiles disagree
        return torch.cat([ramp, -ramp], dim=1)

    seg = plan("segment", size=(6, 8, 8), overlap=0.5)
    found = predictor(seg, LABELS, Work(work), Work(work)).doubting("members")(case(halves()))
    assert float(np.abs(found.parts["mutual_information"].image.array).max()) < 1e-6  # type: ignore[attr-defined]
    assert found.doubt.figures["x_ml_sd"] == 0  # type: ignore[union-attr]


def test_sizes_are_those_of_the_native_grid() -> None:
    seg = plan("segment", size=(8, 16, 16), overlap=0.5)
    coarse = seg.model_copy(update={"data": seg.data.model_copy(update={"spacing_mm": (2.0, 4.0, 2.0)})})
    image = halves((7, 18, 20))  # padded at the ends, and resampled
    found = predictor(coarse, LABELS, constant(0.1, 0.9), constant(0.9, 0.1)).doubting("members")(case(image))
    assert found.parts["entropy"].image.array.shape == image.array.shape  # type: ignore[attr-defined]
    assert found.doubt.figures["x_ml_sd"] == pytest.approx(7 * 18 * 10 * 4 / 1000 / np.sqrt(2), rel=1e-6)  # type: ignore[union-attr]


def test_where_nothing_is_called_the_nearest_to_it_counts() -> None:
    seg = plan("segment", size=(6, 8, 8))
    found = predictor(seg, LABELS, constant(0.6, 0.4), constant(0.6, 0.4)).doubting("members")(case(halves()))
    assert not found.image.array.any()  # type: ignore[attr-defined]
    assert found.doubt.figures["entropy"] == pytest.approx(-0.6 * np.log(0.6) - 0.4 * np.log(0.4), abs=1e-5)  # type: ignore[union-attr]


def test_a_mirrored_field_is_turned_back() -> None:
    """A model that calls what is bright says the same of a mirror image, point by point, so nothing is doubted."""
    seg = plan("segment", size=(6, 8, 8), flips=("x",))
    field = Work(lambda x: torch.cat([0 * x, 5 * x - 2], dim=1))
    found = predictor(seg, LABELS, field).doubting("mirror")(case(halves()))
    assert found.doubt.figures["mutual_information"] < 1e-6 and found.doubt.figures["x_ml_sd"] < 1e-9  # type: ignore[union-attr]


def test_a_tile_counts_once_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from vesalius.infer import tiles

    shape, size = (7, 20, 13), (4, 8, 13)
    share, total = tiles.shares(shape, size, 0.5), torch.zeros(shape)
    for z in tiles.starts(7, 4, 0.5):
        for y in tiles.starts(20, 8, 0.5):
            total[z : z + 4, y : y + 8] += share((z, y, 0))
    assert torch.allclose(total, torch.ones(shape), atol=1e-5)


def test_a_part_of_an_image_has_its_maps_put_back() -> None:
    seg = plan("segment", size=(6, 8, 8))
    found = predictor(seg, LABELS, constant(0.1, 0.9), constant(0.9, 0.1)).doubting("members")(case(halves()))
    whole = halves((8, 24, 22))
    placed = answers.placed(found, (1, 2, 1), whole)
    field = placed.parts["entropy"].image.array  # type: ignore[attr-defined]
    assert field.shape[1:] == whole.shape and np.isnan(field[0, 0]).all()
    assert np.array_equal(field[0, 1:7, 2:22, 1:21], found.parts["entropy"].image.array[0])  # type: ignore[attr-defined]


def test_an_answer_of_a_kind_that_says_nothing_of_doubt_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    from vesalius.answers.contract import Handling

    monkeypatch.setattr(type(answers.of("Value")), "doubt", Handling.doubt)
    with pytest.raises(PlanError, match="no doubt is defined for answers of kind Value by regress"):
        predictor(plan("regress"), NUMBERS, logits(0.1), logits(0.2)).doubting("members")
    assert predictor(plan("regress"), NUMBERS, Net()).ways_of_doubting == ()


def test_several_labels_are_a_yes_or_no_each() -> None:
    state = replace(CLASSES, values={**CLASSES.values, "kind": "multilabel"})
    models = [Work(lambda x, v=v: torch.tensor([[v, -v]]).expand(len(x), 2)) for v in (2.0, -2.0)]  # type: ignore[misc]
    found = predictor(plan("classify"), state, *models).doubting("members")(case(picture()))
    p = 1 / (1 + np.exp(-2.0))
    h = -p * np.log(p) - (1 - p) * np.log(1 - p)
    assert found.doubt.figures["entropy"] == pytest.approx(np.log(2))  # type: ignore[union-attr]
    assert found.doubt.figures["expected_entropy"] == pytest.approx(h)  # type: ignore[union-attr]
