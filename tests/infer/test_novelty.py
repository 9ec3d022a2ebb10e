"""Cases unlike those of training: distances against numpy, a promised rate that holds, layers that are watched."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.core import registry
from vesalius.core.bundle import Bundle, Stage, State
from vesalius.core.case import Case
from vesalius.core.errors import DataError, MismatchError, PlanError
from vesalius.core.image import Image
from vesalius.core.plan import (
    DataPlan,
    InferPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
)
from vesalius.evaluate import calibrations
from vesalius.evaluate.calibrations.contract import Collected
from vesalius.infer import novelty
from vesalius.infer.alarm import (
    RECORD,
    UNLIKE,
    UNTOLD,
    Alarm,
    alarm_of,
    fitted,
    gathered,
    recalibrated,
    set_anew,
    threshold,
)
from vesalius.infer.layers import Features, Watch, watched
from vesalius.infer.novelty.contract import FEWEST, Seen
from vesalius.infer.novelty.knn import cells
from vesalius.infer.novelty.mahalanobis import distance2, means_of, precision, shrinkage
from vesalius.infer.novelty.vim import energy, residual
from vesalius.infer.predictor import Loaded, Predictor
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Example
from vesalius.run.novelty import judges
from vesalius.run.stages import StagePlan
from vesalius.tasks import contract as tasks

CPU = torch.device("cpu")
DETECTORS = sorted(registry.names("infer.novelty"))


def seen_by(x: np.ndarray, groups: np.ndarray | None = None) -> Seen:
    return Seen([x], groups=groups)


# --- the detectors


def test_mahalanobis_of_two_features_by_hand() -> None:
    """Variances 4 and 1 without covariance: (2, 0) lies at 1 and (0, 3) at 9, with nothing shrunk."""
    x = np.array([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])
    variances = np.diag([4.0, 1.0])
    assert np.allclose(x.T @ x / 4, variances)
    directions, weights, rest = precision(x)
    share = shrinkage(x)
    by_hand = np.linalg.inv((1 - share) * variances + share * 2.5 * np.eye(2))  # μ is the mean variance
    points = np.array([[2.0, 0.0], [0.0, 3.0]])
    found = distance2(points, directions, weights, np.array([rest]))
    assert np.allclose(found, [4 * by_hand[0, 0], 9 * by_hand[1, 1]])


@pytest.mark.parametrize(("n", "d"), [(40, 5), (12, 30)])
def test_the_shrunk_covariance_is_ledoit_and_wolfs(n: int, d: int) -> None:
    """Against the definition, covariance by covariance, and its inverse by numpy; more features than cases, too."""
    x = np.random.default_rng(0).normal(size=(n, d)) * np.linspace(1, 3, d)
    x -= x.mean(axis=0)
    s = x.T @ x / n
    mu = np.trace(s) / d
    delta = ((s - mu * np.eye(d)) ** 2).sum() / d
    beta = sum(((np.outer(row, row) - s) ** 2).sum() for row in x) / (n**2 * d)
    share = shrinkage(x)
    assert share == pytest.approx(min(beta / delta, 1.0))
    directions, weights, rest = precision(x)
    inverse = np.linalg.inv((1 - share) * s + share * mu * np.eye(d))
    assert np.allclose(rest * np.eye(d) + directions.T @ np.diag(weights) @ directions, inverse)


def test_the_nearest_group_counts_and_small_groups_have_no_mean_of_their_own() -> None:
    generator = np.random.default_rng(1)
    x = np.concatenate([generator.normal(0, 1, (20, 3)), generator.normal(30, 1, (20, 3)), [[99.0] * 3]])
    groups = np.array([0] * 20 + [1] * 20 + [2])
    means, _ = means_of(x, groups)
    assert len(means) == 3 and np.allclose(
        means[2], x.mean(axis=0)
    )  # one case makes no mean: that of all stands in
    judge = novelty.get("mahalanobis")
    fit = judge.fit(seen_by(x[:40], groups[:40]))
    near, far = judge.scores(fit, seen_by(np.array([[30.0] * 3, [15.0] * 3])))[:, 0]
    assert far > near + 1


@pytest.mark.parametrize("name", DETECTORS)
def test_what_a_detector_keeps_is_of_five_cases_at_least(name: str) -> None:
    """A planted case that lies far out is among no stored row: neither it nor its direction to length one."""
    generator = np.random.default_rng(2)
    x = generator.normal(size=(60, 8))
    fit = novelty.get(name).fit(seen_by(x, np.zeros(60, int)))
    rows = [row for array in fit.values() if array.ndim == 2 for row in array]
    for case in x:
        for one in (case, (case - x.mean(axis=0)) / x.std(axis=0)):
            unit = one / np.linalg.norm(one)
            assert not any(np.allclose(row / max(np.linalg.norm(row), 1e-9), unit, atol=1e-3) for row in rows)


def test_the_bank_is_means_of_few_neighbours_of_one_group() -> None:
    x = np.random.default_rng(3).normal(size=(47, 4))
    groups = np.array([0] * 30 + [1] * 14 + [2] * 3)
    parts = list(cells(x, groups))
    assert sorted(np.concatenate(parts).tolist()) == list(range(47))
    assert all(FEWEST <= len(p) < 2 * FEWEST for p in parts)
    assert all(
        set(groups[p]) <= {0, 2} or set(groups[p]) == {1} for p in parts
    )  # the small group joins the largest


def test_the_residual_and_the_virtual_logit_by_hand() -> None:
    space = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert np.allclose(residual(np.array([[3.0, 4.0, 12.0]]), space), [12.0])
    assert np.allclose(energy(np.array([[0.0, np.log(3.0)]])), [np.log(4.0)])
    generator = np.random.default_rng(4)
    x = generator.normal(size=(50, 6)) * [5, 5, 5, 0.1, 0.1, 0.1]
    judge = novelty.get("vim")
    logits = generator.normal(size=(50, 3))
    fit = judge.fit(Seen([x], np.zeros(50, int), logits))
    plain = judge.fit(seen_by(x))
    assert "alpha" in fit and "alpha" not in plain
    odd = x[:1] + np.array([0, 0, 0, 5.0, 0, 0])
    for kept, more in ((fit, logits[:1]), (plain, None)):
        assert (
            judge.scores(kept, Seen([odd], logits=more)) > judge.scores(kept, Seen([x[:1]], logits=more)) + 1
        )


# --- the alarm


def features(x: np.ndarray) -> list[Features]:
    """Two layers of four features each, and logits."""
    return [Features({"a": row[:4], "b": row[4:8]}, row[:2]) for row in x]


def test_the_threshold_is_the_largest_rate_that_so_many_can_promise() -> None:
    scores = np.arange(199.0)
    assert threshold(scores, rate=0.01) == {"threshold": 197.0, "rate": 2 / 200, "held_out": 199}
    assert threshold(np.arange(99.0), rate=0.01) == {"threshold": 98.0, "rate": 0.01, "held_out": 99}
    assert threshold(np.arange(24.0), rate=0.01) == {"threshold": 23.0, "rate": 1 / 25, "held_out": 24}
    for wrong in (np.arange(18.0), np.array([np.nan] * 30)):
        with pytest.raises(DataError, match="an alarm needs scores"):
            threshold(wrong)


@pytest.mark.parametrize("name", DETECTORS)
def test_ordinary_cases_raise_the_alarm_as_seldom_as_is_promised(name: str) -> None:
    """Over 150 draws of training and held-out cases the mean rate on new ones is as promised, within four errors."""
    generator = np.random.default_rng(5)
    mix = generator.normal(size=(8, 8))
    rates = []
    for _ in range(150):
        train, held, new = (features(generator.standard_t(5, size=(n, 8)) @ mix) for n in (60, 39, 200))
        alarm = fitted(name, train, held, member="w", rate=0.05)
        assert alarm.rate == 0.05
        rates.append(float((alarm.score(new) > alarm.threshold).mean()))
    error = np.std(rates) / np.sqrt(len(rates))
    assert abs(np.mean(rates) - 0.05) < 4 * error, (np.mean(rates), error)


def test_a_planted_shift_is_found_and_an_ordinary_case_is_not() -> None:
    generator = np.random.default_rng(6)
    draw = lambda n, by=0.0: features(generator.normal(size=(n, 8)) + np.array([0, 0, 0, 0, by, 0, 0, 0]))  # noqa: E731
    alarm = fitted("mahalanobis", draw(100), draw(99), member="w")
    assert (alarm.score(draw(50, 12.0)) > alarm.threshold).all()
    said = alarm.remark(draw(1, 12.0)[0])
    assert said.startswith(f"{UNLIKE}mahalanobis ") and said.endswith("which 1 % of such cases exceed")
    assert alarm.remark(Features({"a": np.zeros(4), "b": np.zeros(4)})) == ""
    assert alarm.remark(None) == UNTOLD and alarm.remark(Features({"a": np.zeros(4)})) == UNTOLD
    again = recalibrated(alarm, alarm.score(draw(199, 12.0)), rate=0.05)
    assert (again.rate, again.held_out) == (10 / 200, 199) and again.threshold > alarm.threshold
    assert (again.score(draw(50, 12.0)) > again.threshold).mean() < 0.2


def test_an_alarm_is_the_same_once_it_is_stored() -> None:
    generator = np.random.default_rng(7)
    train, held, new = (features(generator.normal(size=(n, 8))) for n in (40, 30, 5))
    for name in DETECTORS:
        alarm = fitted(name, train, held, member="w-0", groups=["a"] * 20 + ["b"] * 20, logits=True)
        stage = Stage("s", plan(), State(), ("w-0",), extras={RECORD: alarm.state()})
        read = alarm_of(stage)
        assert read is not None and np.array_equal(read.score(new), alarm.score(new))
        assert alarm_of(replace(stage, members=("w-1",))) is None  # other weights than it was fitted on
    assert alarm_of(replace(stage, extras={})) is None


def test_too_few_cases_are_refused() -> None:
    few = features(np.zeros((19, 8)))
    with pytest.raises(DataError, match="19 training cases and 19 held out"):
        fitted("mahalanobis", few, few, member="w")


# --- what is watched


def plan(task: str = "classify", **infer: Any) -> Plan:
    dense = task == "segment"
    return Plan(
        task=TaskPlan(name=task, target="truth"),
        data=DataPlan(
            dims=2,
            channels=1,
            sampling="patches" if dense else "whole",
            size=(1, 32, 32),
            normalise=(Normalisation(method="fixed", mean=0, sd=64),),
        ),
        net=NetPlan(name="unet" if dense else "resnet-10", scale=0.125),
        loss=LossPlan(name="dice-ce" if dense else "cross_entropy"),
        train=TrainPlan(steps=1, batch=1),
        infer=InferPlan(batch=4, mirror=("x",), **infer),
    )


def stage_of(task: str) -> Stage:
    names = ("spot",) if task == "segment" else ("no", "yes")
    first = 1 if task == "segment" else 0
    rows = [{"value": k, "name": n, "code": None, "colour": None} for k, n in enumerate(names, start=first)]
    state = State({"target": "truth", "kind": "exclusive", "labels": rows, "share": [0.5, 0.5]})
    return Stage(task, plan(task), state, ("w",))


def models(task: str, n: int = 2) -> tuple[nn.Module, ...]:
    stage = stage_of(task)
    made = []
    for k in range(n):
        torch.manual_seed(k)
        made.append(tasks.get(task).build(stage.plan, stage.state, nets).eval())
    return tuple(made)


def predictor(task: str, alarm: Alarm | None = None, made: tuple[nn.Module, ...] | None = None) -> Predictor:
    found = Predictor.__new__(Predictor)
    stage = stage_of(task)
    found.bundle = Bundle(Path("nowhere"), (stage,), "", "the hash", "a test", None)
    found.device = CPU
    found.stages = (Loaded(stage, tasks.get(task), made or models(task), alarm),)
    return found


def picture(seed: int, side: int = 32) -> Image:
    generator = np.random.default_rng(seed)
    return Image(generator.integers(0, 256, (1, 1, side, side), dtype=np.uint8))


def cases(n: int, *, start: int = 0, side: int = 32) -> list[Case]:
    return [Case(f"c{k}", {"image": picture(k, side)}) for k in range(start, start + n)]


def examples(of: Predictor, some: list[Case]) -> list[Example]:
    return [of.encoded(c).example for c in some]


def members(of: Predictor) -> Members:
    return Members(of.stages[0].task, of.stages[0].models, of.stages[0].stage.plan, CPU)


def alarmed(task: str, side: int = 32) -> Predictor:
    plain = predictor(task)
    seen = gathered(members(plain), examples(plain, cases(45, side=side)))
    alarm = fitted("mahalanobis", seen[:25], seen[25:], member="w")
    return predictor(task, alarm, plain.stages[0].models)  # type: ignore[arg-type]


@pytest.mark.parametrize(("task", "side"), [("classify", 32), ("segment", 50)])
def test_features_do_not_depend_on_the_batch_and_are_those_of_the_answer(task: str, side: int) -> None:
    of = predictor(task)
    some = examples(of, cases(5, side=side))
    together, alone = gathered(members(of), some), [gathered(members(of), [e])[0] for e in some]
    for a, b in zip(together, alone, strict=True):
        assert list(a.layers) == list(b.layers) and len(a.layers) > 3
        assert all(np.allclose(a.layers[n], b.layers[n], atol=1e-5) for n in a.layers)
    watch = Watch(apart=task == "classify")
    run = members(of)
    from vesalius.infer import runs

    runs.get(of.stages[0].task.run).answer(
        replace(run, watch=watch), some[0], of.encoded(cases(1, side=side)[0]).undo
    )
    (answered,) = watch.features()
    assert all(np.allclose(alone[0].layers[n], answered.layers[n], atol=1e-5) for n in answered.layers)


def test_means_and_deviations_over_tiles_by_numpy() -> None:
    """A net that returns its input: mean and deviation over all tiles' pixels, counted as often as they come."""

    class Same(nets.Net):
        def forward(self, x: Tensor) -> list[Tensor]:
            return [x]

    net = Same(2, [2], strides=[1])
    watch = Watch(apart=False)
    tiles = torch.randn(7, 2, 6, 5, generator=torch.Generator().manual_seed(0))
    for part in (tiles[:4], tiles[4:]):
        with watch.over(net, len(part)):
            net(part)
    (found,) = watch.features()
    flat = tiles.permute(1, 0, 2, 3).flatten(1).numpy().astype(np.float64)
    mean, sd = found.layers["net.1"][:2], np.exp(found.layers["net.1"][2:]) - 1e-3
    assert np.allclose(mean, flat.mean(axis=1), atol=1e-6) and np.allclose(sd, flat.std(axis=1), atol=1e-6)
    steps = (tiles[:, :, :-1, 1:] - tiles[:, :, :-1, :-1]).abs().permute(1, 0, 2, 3).flatten(1).numpy()
    assert np.allclose(found.layers["net.0"][4:6], steps.mean(axis=1), atol=1e-5)  # neighbours along x


def test_a_second_model_and_mirror_images_are_not_watched() -> None:
    of = predictor("classify")
    some = examples(of, cases(2))
    first = replace(members(of), models=of.stages[0].models[:1])
    flipped = [replace(e, images={n: a[..., ::-1].copy() for n, a in e.images.items()}) for e in some]
    one, other = gathered(members(of), some)[0], gathered(first, some)[0]
    assert all(np.array_equal(one.layers[n], other.layers[n]) for n in one.layers)
    mirrored = gathered(members(of), flipped)[0]
    assert not np.allclose(one.layers["net.4"], mirrored.layers["net.4"], atol=1e-5)


@pytest.mark.parametrize(("task", "side"), [("classify", 32), ("segment", 50)])
def test_answers_are_bit_for_bit_those_without_an_alarm(task: str, side: int) -> None:
    with_it = alarmed(task, side)
    without = predictor(task, None, with_it.stages[0].models)  # type: ignore[arg-type]
    for case in cases(3, start=100, side=side):
        a, b = with_it(case), without(case)
        assert b.outside is None
        assert replace(a, outside=None).json() == b.json() if hasattr(a, "json") else str(a) == str(b)
        for name in vars(b):
            x, y = getattr(a, name), getattr(b, name)
            if isinstance(x, np.ndarray):
                assert x.dtype == y.dtype and np.array_equal(x, y)


def hooks(of: Predictor) -> int:
    return sum(len(m._forward_hooks) for model in of.stages[0].models for m in model.modules())


def test_hooks_are_removed_after_use_and_after_an_error() -> None:
    of = alarmed("classify")
    of(cases(1)[0])
    assert hooks(of) == 0

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("broken")

    of.stages[0].models[0].head = Broken()
    with pytest.raises(Exception, match="broken"):
        of(cases(1)[0])
    assert hooks(of) == 0


def strange() -> Case:
    array = np.zeros((1, 1, 32, 32), np.uint8)
    array[..., ::2] = 255
    return Case("odd", {"image": Image(array)})


def test_a_strange_case_is_marked_or_refused_alone_and_beside_others() -> None:
    of = alarmed("classify")
    ordinary = cases(3, start=200)
    said = of(strange()).outside
    assert said is not None and len(said) == 1 and said[0].startswith(UNLIKE)
    found = of.together([ordinary[0], strange(), ordinary[1]])
    assert found[1].outside is not None and found[1].outside[0].startswith(UNLIKE)  # type: ignore[union-attr]
    assert found[0].outside is None and found[2].outside is None  # type: ignore[union-attr]
    with pytest.raises(
        MismatchError, match="case odd: unlike the cases that the bundle 'nowhere' learned from"
    ):
        of.refusing(strange())
    found = of.refusing.together([ordinary[0], strange(), ordinary[1]])
    assert [isinstance(a, MismatchError) for a in found] == [False, True, False]
    assert not of.refuse_unlike and of(strange()).outside == said


def test_two_stages_are_judged_by_the_one_that_is_given_the_whole_image() -> None:
    """Its alarm marks the last answer, once; the part that the other stage is given is not looked at."""
    of = alarmed("segment", 32)
    first = of.stages[0]
    takes = {"stage": 0, "as": "crop", "margin_mm": 0.0}
    second = replace(first, stage=replace(first.stage, name="fine", takes=takes), alarm=None)
    of.stages = (first, second)
    said = of(strange())
    assert said.outside is not None and [t.startswith(UNLIKE) for t in said.outside] == [True]
    assert said.parts["segment"].outside is None
    assert of.encoded(strange()).outside == said.outside and of(cases(1, start=200)[0]).outside is None
    plans = (StagePlan("coarse", first.stage.plan), StagePlan("fine", first.stage.plan, takes))
    assert judges(plans) is plans[0] and judges(plans[:1]) is plans[0]


def test_the_threshold_is_set_anew_on_other_cases() -> None:
    of = alarmed("classify")
    (loaded,) = of.stages
    assert loaded.alarm is not None
    stage = replace(loaded.stage, extras={RECORD: loaded.alarm.state()})
    others = of.watched(cases(60, start=400))
    again = alarm_of(set_anew(stage, loaded.alarm.score(others), rate=0.05))
    assert again is not None and (again.held_out, again.rate) == (60, 3 / 61)
    assert (again.score(others) > again.threshold).sum() == 2  # fewer than three of sixty lie above the third
    collected = Collected((), (), (), loaded.alarm.score(others).tolist())
    refitted = alarm_of(
        calibrations.get("alarm").fit(stage, loaded.task, collected)
    )  # `calibrate --refit alarm`
    assert refitted is not None and (refitted.held_out, refitted.rate) == (60, 1 / 61)
    with pytest.raises(DataError, match="no alarm to set anew"):
        set_anew(replace(stage, extras={}), loaded.alarm.score(others))
    with pytest.raises(PlanError, match="nothing that tells strange cases"):
        predictor("classify").watched(cases(1))


def test_threads_that_share_a_model_do_not_mix_what_they_watch() -> None:
    of = alarmed("classify")
    some = [*cases(6, start=300), strange()]
    alone = [of(c).outside for c in some]
    found: dict[int, list[Any]] = {}

    def work(k: int) -> None:
        order = some if k % 2 else some[::-1]
        answers = {c.id: of(c).outside for _ in range(4) for c in order}
        found[k] = [answers[c.id] for c in some]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(found[k] == alone for k in range(4)) and hooks(of) == 0


def test_a_model_without_a_network_of_ours_is_watched_by_its_parts() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3))
    assert list(watched(model)) == ["0", "1", "2"]
    watch = Watch(apart=True)
    with watch.over(model, 2):
        model(torch.randn(2, 1, 9, 9))
    assert len(watch.features()) == 2 and watch.features()[0].layers["2.1"].shape == (4,)


def test_rows_that_are_of_no_case_are_lost_and_said() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3))
    watch = Watch(apart=True)
    with watch.over(model, 2):
        model(torch.randn(3, 1, 9, 9))
    assert watch.lost == "a network sees 3 rows of 2"
