"""Harmonisers: each keeps the kind's contract, is undone where it says so, and does by hand what its paper says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vesalius.core.case import Case
from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, HarmonisePlan, HarmoniseStep, Normalisation, parse_plan
from vesalius.core.progress import watched
from vesalius.learn.harmoniser import _persons, train
from vesalius.phantom.heads.head import WHITE
from vesalius.phantom.scanners import patient
from vesalius.prepare import harmonise
from vesalius.prepare.case import prepare
from vesalius.prepare.harmonise.contract import Known, Sample
from vesalius.prepare.harmonising import called, fitted_steps, shrunk, steps_of
from vesalius.run.harmonising import harmonised

IMAGES = harmonise.of_images()
QUICK = {"learned": {"steps": 3}, "n4": {"rounds": 2, "levels": 1, "longest": 12}}


@pytest.fixture(scope="module")
def heads() -> list[Any]:
    return [patient(k, size=24) for k in range(12)]


@pytest.fixture(scope="module")
def samples(heads: list[Any]) -> list[Sample]:
    return [Sample(h.volume.astype(np.float32), h.scanner.name, h.patient) for h in heads]


def fitted(name: str, samples: list[Sample]) -> tuple[HarmoniseStep, ...]:
    step = HarmoniseStep(method=name, options=QUICK.get(name, {}))
    return fitted_steps((step,), [samples], train=train)


@pytest.mark.parametrize("name", IMAGES)
def test_each_keeps_the_contract(name: str, samples: list[Sample]) -> None:
    steps = fitted(name, samples)
    plan = HarmonisePlan.model_validate_json(HarmonisePlan(steps=steps).model_dump_json())
    before = samples[1].channel.copy()
    one, ways = harmonise.applied(before.copy(), plan.steps)
    again, _ = harmonise.applied(before.copy(), plan.steps)
    assert one.dtype == np.float32 and one.shape == before.shape and np.isfinite(one).all() and one.std() > 0
    assert np.array_equal(one, again), "the same image and plan give the same bits"
    assert np.array_equal(samples[1].channel, before), "what it learned from is as it was"
    if harmonise.says(name, "UNDO", False):
        assert np.allclose(harmonise.undone(one, plan.steps, ways), before, atol=2e-6 * np.abs(before).max())
    else:
        with pytest.raises(PlanError, match="cannot be undone"):
            harmonise.undone(one, plan.steps, ways)


@pytest.mark.parametrize("name", [n for n in IMAGES if harmonise.says(n, "SCALE")])
def test_an_image_without_contrast_is_refused_or_stays_finite(name: str, samples: list[Sample]) -> None:
    flat = np.full((4, 6, 6), 7.0, np.float32)
    try:
        made, _ = harmonise.applied(flat, fitted(name, samples))
    except DataError as error:
        assert "no contrast" in str(error)
    else:
        assert name == "zscore" or name.startswith("window"), name
        assert np.isfinite(made).all() and made.std() < 1e-6


@pytest.mark.parametrize("name", ["zscore", "percentile", "nyul", "whitestripe"])
def test_a_scanners_gain_and_offset_leave_no_trace(name: str, samples: list[Sample]) -> None:
    steps = fitted(name, samples)
    image = samples[0].channel
    one = harmonise.applied(image.copy(), steps)[0]
    two = harmonise.applied((image * 3 + 500).astype(np.float32), steps)[0]
    assert np.allclose(one, two, atol=2e-3 * float(np.ptp(one)))


def test_nyul_by_hand() -> None:
    ramp = np.concatenate([np.full(1001, -1e4), np.arange(1001.0)]).astype(np.float32).reshape(1, 1, -1)
    own = [10.0, *range(100, 1000, 100), 990.0]  # percentiles of 0 … 1000, which are what lies above the mean
    standard = [0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 90.0, 100.0]
    made = harmonise.get("nyul").apply(ramp, Known({}, {"landmarks": standard})).channel.ravel()[1001:]
    inner = slice(10, 991)
    assert np.allclose(made[inner], np.interp(np.arange(1001), own, standard)[inner], atol=1e-4)
    assert made[1000] == pytest.approx(100 + 10 * (10 / 90), abs=1e-3) and made[0] < 0


def test_nyul_learns_the_mean_of_scaled_landmarks(samples: list[Sample]) -> None:
    marks = fitted("nyul", samples)[0].fitted[0]["landmarks"]
    each = []
    for one in samples:
        values = one.channel[one.channel > one.channel.mean()]
        own = np.percentile(values, [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99])
        each.append((own - own[0]) / (own[-1] - own[0]) * 100)
    assert np.allclose(marks, np.mean(each, axis=0), atol=0.01)


def test_white_stripe_finds_white_matter() -> None:
    rng = np.random.default_rng(0)
    grey, white = rng.normal(60, 4, 6000), rng.normal(100, 4, 5000)
    image = np.concatenate([rng.normal(5, 1, 12000), grey, white]).astype(np.float32).reshape(1, 1, -1)
    t1 = harmonise.get("whitestripe").apply(image.copy(), Known()).back
    t2 = harmonise.get("whitestripe").apply(image.copy(), Known({"contrast": "t2"})).back
    assert t1["mean"] == pytest.approx(100, abs=1.5) and t2["mean"] == pytest.approx(60, abs=1.5)
    assert t1["sd"] < 4, "the deviation of the stripe, and not of all white matter"


def test_n4_takes_a_known_field_out(heads: list[Any]) -> None:
    head = heads[0]
    clean = head.volume.astype(np.float32)
    ramp = np.exp(np.linspace(-0.4, 0.4, clean.shape[2], dtype=np.float32))
    made = harmonise.get("n4").apply(clean * ramp, Known()).channel
    white = head.head.tissue == WHITE

    def right_over_left(image: np.ndarray) -> float:
        left, right = image[:, :, :12], image[:, :, 12:]
        return float(np.log(right[white[:, :, 12:]].mean() / left[white[:, :, :12]].mean()))

    assert abs(right_over_left(clean)) < 0.01 < 0.15 < right_over_left(clean * ramp)
    assert abs(right_over_left(made)) < 0.04


def test_windows_by_hand_and_by_unit() -> None:
    hu = np.array([-2000, -1350, -600, 150, 900], np.float32).reshape(1, 1, -1)
    lung = HarmoniseStep(method="window-lung")
    assert harmonise.applied(hu.copy(), (lung,))[0].ravel().tolist() == [0, 0, 0.5, 1, 1]
    with pytest.raises(PlanError, match="for images in HU"):
        harmonise.assert_unit("window-lung", None)
    with pytest.raises(PlanError, match="centre and width already"):
        harmonise.options_for("window-lung", {"width": 3.0})


def plan_of(**harmonised: Any) -> DataPlan:
    return DataPlan(
        dims=3,
        channels=1,
        sampling="whole",
        size=(24, 24, 24),
        normalise=(Normalisation(method="zscore"),),
        **harmonised,
    )


def test_a_plan_without_it_prepares_as_ever_and_names_stand_for_steps(heads: list[Any]) -> None:
    case = heads[1].as_case()
    before = prepare(case, plan_of()).array
    x = heads[1].volume.astype(np.float32)
    want = x - float(x.mean(dtype=np.float64))
    want /= max(float(x.std(dtype=np.float64)), 1e-8)
    assert np.array_equal(before[0], want)
    named = plan_of(harmonise="n4")
    assert named.harmonise is not None and named.harmonise.steps == (HarmoniseStep(method="n4"),)
    assert plan_of(harmonise=["n4", "nyul"]).harmonise == HarmonisePlan(steps=steps_of("n4+nyul"))
    assert called(steps_of("n4+nyul")) == "n4+nyul" and steps_of("none") == ()


def test_prepare_applies_the_steps_and_refuses_those_that_learned_nothing(
    heads: list[Any], samples: list[Sample]
) -> None:
    case, steps = heads[2].as_case(), fitted("nyul", samples)
    plan = plan_of(harmonise=HarmonisePlan(steps=steps)).model_copy(
        update={"normalise": (Normalisation(method="fixed", mean=0, sd=1),)}
    )
    want = harmonise.applied(heads[2].volume.astype(np.float32), steps)[0]
    assert np.array_equal(prepare(case, plan).array[0], want)
    assert np.array_equal(case.images["image"].array[0], heads[2].volume), "the case's own pixels stay"
    with pytest.raises(PlanError, match="not learned"):
        prepare(case, plan_of(harmonise="nyul"))


def test_what_depends_on_the_place_is_done_frame_by_frame(samples: list[Sample]) -> None:
    two = np.concatenate([samples[0].channel, samples[1].channel])
    step = (HarmoniseStep(method="clahe"),)
    both = harmonise.applied(two, step, frames=2)[0]
    each = [harmonise.applied(samples[k].channel.copy(), step)[0] for k in (0, 1)]
    assert np.array_equal(both, np.concatenate(each))


def test_names_that_do_not_exist_or_do_not_fit() -> None:
    with pytest.raises(UnknownName, match="nyul"):
        steps_of("nyull")
    with pytest.raises(PlanError, match="tables of features"):
        steps_of("combat")
    with pytest.raises(PlanError, match="cannot stand in data.normalise"):
        harmonise.check_last("nyul")
    with pytest.raises(PlanError, match="trained on images whose scanner is known"):
        fitted_steps(steps_of("learned"), [[Sample(np.ones((2, 2, 2), np.float32))]], train=train)


def test_only_persons_on_several_scanners_say_how_far_these_are_apart() -> None:
    def persons(*seen: str) -> Any:
        return _persons([Sample(np.zeros((1, 1, 1), np.float32), s[1], s[0]) for s in seen])

    assert persons("pA", "pA", "qB", "rB") is None, "seen twice, on one scanner"
    assert persons("pA", "pB", "qC", "rC") is None, "nobody was seen on C and another"
    assert persons("pA", "pB", "qA", "qC").tolist() == [0, 0, 1, 1]


def test_steps_that_learn_nothing_are_normalised_by_their_own_scale() -> None:
    rng = np.random.default_rng(0)
    pictures = [Image(rng.integers(0, 255, (1, 1, 24, 24)).astype(np.uint8)) for _ in range(6)]
    space: Any = SimpleNamespace(learned=[Case(f"c{k}", {"image": i}) for k, i in enumerate(pictures)])
    fixed = {"method": "fixed", "low": 0.0, "high": 255.0, "mean": 127.0, "sd": 70.0}
    data = {"dims": 2, "channels": 1, "sampling": "whole", "size": [1, 24, 24], "normalise": [fixed]}
    plan = parse_plan(
        {
            "task": {"name": "classify"}, "data": {**data, "harmonise": "percentile"},
            "net": {"name": "resnet-10"}, "loss": {"name": "cross_entropy"}, "train": {"steps": 9, "batch": 4},
        }
    )  # fmt: skip
    made = harmonised(plan, space, {"data.harmonise": "percentile"}, watched(False))
    x = prepare(space.learned[0], made.data).array
    assert abs(float(x.mean())) < 0.5 and 0.5 < float(x.std()) < 2
    assert "learned" not in made.reasons["data.harmonise"]
    own = {"data.harmonise": "percentile", "data.normalise": [fixed]}
    assert harmonised(plan, space, own, watched(False)) == plan, "what a user set stays"
    assert harmonised(plan, space, {}, watched(False)) == plan, "so does a plan that was given"


def test_looks_are_thinned_and_nothing_is_averaged() -> None:
    image = Image(np.arange(130 * 4, dtype=np.int32).reshape(1, 1, 4, 130))
    small = shrunk(image.array[0], longest=64)
    assert small.shape == (1, 4, 44) and small[0, 1, 2] == image.array[0, 0, 1, 6]
