"""regress: what it refuses, what it learns of training cases, how covariates enter, and what it says of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan, override
from vesalius.core.statistics import Statistics
from vesalius.learn.examples import augmented
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.rules import check, draft_plan
from vesalius.prepare import covariates
from vesalius.prepare.batch import Batch, collate
from vesalius.prepare.case import prepare
from vesalius.prepare.covariates import Covariate
from vesalius.tasks import contract

TASK = contract.get("regress")
AGE = TargetInfo("age", "number", (), "a column of numbers", unit="years")
PICTURE = Image(array=np.random.default_rng(0).normal(size=(1, 1, 16, 16)).astype(np.float32))
CPU = Machine(2, 8 << 30, None, 0, False)
PRINTS = Fingerprint(
    cases=200, patients=200, voxels={}, images=("image",), channels=1, grey=True, flat=True, shape_median=(1, 28, 28),
    shape_max=(1, 28, 28), spacing_median=None, spacing_known=False, unit=None, bits=8, low=0, high=255, mean=80, sd=40,
    inside=False, classes={}, labels=(), sided=False,
)  # fmt: skip


def cases(ages: Sequence[Any], **known: Sequence[Any]) -> tuple[Case, ...]:
    """Cases with an age (None for none) and covariates by name."""
    return tuple(
        Case(
            f"c{k}",
            {"image": PICTURE},
            targets={} if age is None else {"age": age},
            covariates={name: values[k] for name, values in known.items()},
        )
        for k, age in enumerate(ages)
    )


def planned(options: Mapping[str, Any] | None = None, *, dims: int = 2) -> Plan:
    return Plan(
        task=TaskPlan(name="regress", target="age", options={"unit": "years", **(options or {})}),
        data=DataPlan(
            dims=dims,  # type: ignore[arg-type]
            channels=1,
            sampling="whole",
            size=(1 if dims == 2 else 16, 16, 16),
            normalise=(Normalisation(method="zscore"),),
        ),
        net=NetPlan(name="resnet-10", scale=0.125),
        loss=LossPlan(name="smooth_l1"),
        train=TrainPlan(steps=3, batch=4),
    )


def state_of(some: Sequence[Case], **options: Any) -> State:
    return TASK.learned(some, AGE, planned(options))


def missing(ages: Sequence[Any], **more: Any) -> str:
    found = [replace(c, **more) for c in cases(ages)]
    return "; ".join(TASK.check(Cohort(Path("here"), "table", tuple(found), {"age": AGE}), AGE))


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        ([40.0, 40.0, 40.0], "is 40 in all 3 cases"),
        ([40.0, float("inf"), 41.0], "c1: inf"),
        ([40.0, 41.0, float("nan")], "c2: nan"),
        ([40.0, True, 41.0], "c1: True"),
        ([40.0, "old", 41.0], "c1: old"),
        ([40.0], "at least two cases"),
        ([40.0, 999.0, 61.0, 52.0, 70.0, 33.0, 999.0], "in place of 999 (2 cases)"),
        ([-99.0, 40.0, 61.0, 52.5, 70.0, 33.0], "in place of -99 (1 case)"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_by_name(ages: list[Any], said: str) -> None:
    assert said in missing(ages)


@pytest.mark.parametrize(
    "ages",
    [
        [40.0, 61.0],
        [990.0, 999.0, 1010.0, 1020.0, 985.0, 970.0],
        [-99.0, -120.0, 99.0, 3.0, 80.0, 1.0],
        [0.0, 999.0],
    ],
)
def test_what_can_be_learned_from_is_not(ages: list[float]) -> None:
    assert missing(ages) == ""


def test_a_covariate_that_is_the_target_in_other_words_is_refused() -> None:
    years = [20.0 + 3.7 * k for k in range(12)]
    known = cases(years, months=[round(12 * y) for y in years], bmi=[20.0 + k % 5 for k in range(12)])
    info = TargetInfo("age", "number")
    cohort = Cohort(Path("here"), "table", known, {"age": info}, covariates=("months", "bmi"))
    assert "'months' says 'age' itself in 12 cases" in TASK.check(cohort, info)[0]
    assert TASK.check(replace(cohort, covariates=("bmi",)), info) == ()
    assert TASK.check(replace(cohort, covariates=()), info) == (), "images, and nobody named a covariate"
    bare = tuple(replace(c, images={}) for c in known)
    assert "'months'" in TASK.check(replace(cohort, cases=bare, covariates=()), info)[0]


def test_images_and_a_target_are_needed() -> None:
    assert "an image for each case" in missing([40.0, 50.0], images={}, reference=None)
    assert TASK.check(Cohort(Path("here"), "table", ()), None)
    with pytest.raises(DataError, match="needs a target"):
        TASK.learned(cases([1.0, 2.0]), None, planned())


def test_a_target_that_varies_among_test_cases_alone_is_refused() -> None:
    with pytest.raises(DataError, match="the same for all training cases"):
        state_of(cases([0.1] * 7))


def test_the_answer_is_in_the_units_of_the_training_cases_and_of_nobody_else() -> None:
    state = state_of(cases([40.0, None, 60.0]))
    assert (state.values["mean"], state.values["sd"], state.values["n"]) == (50.0, 10.0, 2)
    assert json.loads(json.dumps(state.values)) == state.values
    answer = TASK.decode(np.array([[0.2], [0.4]]), state, {}, PICTURE)
    assert answer.x == pytest.approx(53.0) and (answer.unit, answer.quantity) == ("years", "age")  # type: ignore[attr-defined]
    assert TASK.trivial(state, PICTURE).x == 50.0  # type: ignore[union-attr]
    assert TASK.truth(cases([40.0])[0], state) == 40.0


def test_without_a_unit_there_is_none() -> None:
    assert TASK.decode(np.zeros((1, 1)), state_of(cases([4.0, 6.0]), unit=""), {}, PICTURE).unit is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("z", "marked"), [(0.0, False), (1.0, False), (-1.0, False), (1.1, True), (-3.0, True)]
)
def test_what_lies_beyond_the_training_cases_is_marked(z: float, marked: bool) -> None:
    outside = TASK.decode(np.array([[z]]), state_of(cases([40.0, 60.0])), {}, PICTURE).outside
    assert bool(outside) == marked
    if z == 1.1:
        assert outside == ("age 61 years, learned from 40 to 60 years",)


# ------------------------------------------------------------------------------------------------ covariates


def test_numbers_are_standardised_words_are_one_hot_and_what_may_be_missing_has_a_bit() -> None:
    some = cases(
        [1.0, 2.0, 3.0, 4.0],
        bmi=[20.0, 30.0, None, 25.0],
        sex=["F", "M", "F", "M"],
        site=[1.0, 2.0, 1.0, 2.0],
    )
    state = state_of(some, covariates="bmi, sex,site", categories="sex,site")
    learned = state.values["covariates"]
    assert learned["bmi"]["mean"] == 25.0 and learned["bmi"]["missing"] == 1
    assert learned["sex"] == {"values": ["F", "M"], "missing": 0} and learned["site"]["values"] == ["1", "2"]
    assert TASK.covariates(state) == ("sex", "site"), "a case may lack what training cases lacked"
    made = [covariates.encode(c, learned) for c in some]
    sd = np.std([20, 30, 25])
    assert np.allclose(made[0], [-5 / sd, 1, 1, 0, 1, 0]) and np.allclose(made[2], [0, 0, 1, 0, 1, 0])
    assert all(len(m) == covariates.width(learned) for m in made)
    again = replace(some[0], covariates={"bmi": 20, "sex": "F", "site": "1"})
    assert np.array_equal(covariates.encode(again, learned), made[0]), "a code as a word is the same code"


def test_a_case_that_does_not_fit_what_was_learned_is_refused_by_name() -> None:
    state = state_of(cases([1.0, 2.0, 3.0, 4.0], sex=list("FMFM"), bmi=[20.0, 21.0, 22.0, 23.0]),
                     covariates="sex,bmi", categories="sex")  # fmt: skip
    learned = state.values["covariates"]
    for known, said in (
        ({"sex": "X", "bmi": 21.0}, "c0: nothing was learned about 'sex' X"),
        ({"sex": "F"}, "c0: there is no covariate 'bmi'"),
        ({"sex": "F", "bmi": "fat"}, "c0: the covariate 'bmi' is not a finite number"),
        ({"sex": "F", "bmi": float("inf")}, "is not a finite number"),
    ):
        with pytest.raises(DataError, match=said):
            covariates.encode(Case("c0", {"image": PICTURE}, covariates=known), learned)  # type: ignore[arg-type]
    odd = Case("c0", {"image": PICTURE}, covariates={"sex": "F", "bmi": 40.0})
    assert TASK.outside(odd, state) == ("bmi 40, learned from 20 to 23",)


def test_what_is_asked_of_covariates_must_exist() -> None:
    some = cases([1.0, 2.0, 3.0, 4.0], sex=list("FMFM"), name=list("abcd"))
    with pytest.raises(UnknownName, match="sx"):
        state_of(some, covariates="sx")
    with pytest.raises(UnknownName, match="sx"):
        state_of(some, categories="sx")
    with pytest.raises(DataError, match="too many different values"):
        state_of(some, covariates="name", categories="name")
    with pytest.raises(DataError, match="is not a finite number"):
        state_of(some, covariates="sex")
    odd = cases([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], bmi=[20.0, 22.0, 24.0, 26.0, 28.0, 999.0])
    with pytest.raises(DataError, match="'bmi' lies far from all other values where it is 999"):
        state_of(odd, covariates="bmi")
    with pytest.raises(DataError, match="cannot be a covariate, too"):
        state_of(some, covariates="age")


def test_hospitals_that_never_meet_learn_what_one_of_all_cases_would() -> None:
    some = cases(
        [41.0, 42.5, None, 44.1, 45.0, 61.3, 47.0, 48.2],
        sex=["F", "F", "F", "F", "M", "X", "M", "M"],
        bmi=[20.1, 22.0, 24.0, 21.5, None, 28.3, 26.0, 23.0],
    )
    here, there = (
        some[:4],
        [replace(c, covariates={k: v for k, v in c.covariates.items() if v}) for c in some[4:]],
    )
    plan = planned({"covariates": "sex,bmi", "categories": "sex"})
    parts = [TASK.summary(each, AGE, plan) for each in (here, there)]
    whole = TASK.learned(some, AGE, plan).values
    for one, other in (parts, parts[::-1]):
        sent = [Statistics.parse(json.loads(json.dumps(p.json()))) for p in (one, other)]
        found = TASK.state(sent[0].merged(sent[1]), AGE, plan).values
        assert (
            found["covariates"]["sex"]
            == whole["covariates"]["sex"]
            == {"values": ["F", "M", "X"], "missing": 0}
        )
        assert found["covariates"]["bmi"] == pytest.approx(whole["covariates"]["bmi"], rel=1e-12)
        assert (found["n"], found["low"], found["high"]) == (7, 41.0, 61.3)
        assert (found["mean"], found["sd"]) == pytest.approx((whole["mean"], whole["sd"]), rel=1e-12)


def test_what_only_all_hospitals_together_can_tell_is_told_of_the_merged() -> None:
    same, plan = [cases([40.0, 40.0]), cases([41.0, 41.0])], planned()
    parts = [TASK.summary(each, AGE, plan) for each in same]
    assert TASK.state(parts[0].merged(parts[1]), AGE, plan).values["sd"] == 0.5
    with pytest.raises(DataError, match="the same for all training cases"):
        TASK.state(parts[0], AGE, plan)
    coded = [cases([1.0, 2.0, 3.0], bmi=[20.0, 22.0, 999.0]), cases([4.0, 5.0, 6.0], bmi=[24.0, 26.0, 28.0])]
    plan = planned({"covariates": "bmi"})
    parts = [TASK.summary(each, AGE, plan) for each in coded]
    for merged in (parts[0].merged(parts[1]), parts[1].rounded(8).merged(parts[0].rounded(8))):
        with pytest.raises(
            DataError, match="far from all other values where it is 999; found 1 training case"
        ):
            TASK.state(merged, AGE, plan)


def test_one_word_among_numbers_is_named_and_many_words_are_not() -> None:
    plan = planned({"covariates": "crp", "categories": "crp"})
    few = cases(
        [float(k) for k in range(12)], crp=["<0.1" if k % 4 == 0 else f"{k / 7:.2f}" for k in range(12)]
    )
    with pytest.raises(
        DataError, match=r"10 in 12 training cases, all numbers but '<0\.1'; try: write them as numbers"
    ):
        TASK.state(TASK.summary(few, AGE, plan), AGE, plan)
    days = cases([float(k) for k in range(12)], crp=[f"2020-01-{k + 1:02d}" for k in range(12)])
    with pytest.raises(DataError, match="12 in 12 training cases; try: another column, or leave it out"):
        TASK.state(TASK.summary(days, AGE, plan), AGE, plan)


def test_codes_are_categories_and_few_ages_are_numbers() -> None:
    some = cases([float(k) for k in range(12)], site=[k % 3 for k in range(12)], age2=[50 + k for k in range(12)],
                 dose=[0.5 * (k % 2) for k in range(12)], sex=["F", None] * 6)  # fmt: skip
    found = covariates.look_at(covariates.overview(some), named=("site",))
    assert {k: v.category for k, v in found.items()} == {
        "site": True,
        "age2": False,
        "dose": False,
        "sex": True,
    }
    assert found["site"] == Covariate(True, 3, 0, True) and found["sex"].missing == 6


def batch_of(some: Sequence[Case], state: State, plan: Plan) -> Batch:
    made = [TASK.encode(c, prepare(c, plan.data), c.images["image"], state) for c in some]  # type: ignore[arg-type]
    return collate(made)


@pytest.mark.parametrize("dims", [2, 3])
def test_covariates_change_the_answer_and_are_learned_from(dims: int) -> None:
    shape = (1, 1 if dims == 2 else 16, 16, 16)
    some = [
        replace(c, images={"image": Image(array=np.zeros(shape, np.float32), affine=np.eye(4))})
        for c in cases([1.0, 2.0, 3.0, None], bmi=[20.0, 25.0, 30.0, 24.0])
    ]
    plan = planned({"covariates": "bmi"}, dims=dims)
    state = TASK.learned(some, AGE, plan)
    torch.manual_seed(0)
    model, batch = TASK.build(plan, state, nets), batch_of(some, state, plan)
    generator = torch.Generator().manual_seed(0)
    model.eval()
    raw = TASK.infer(model, batch, generator)
    assert raw.shape == (4, 1) and len(set(raw[:, 0].tolist())) == 4, (
        "the images are alike, the covariates are not"
    )
    model.train()
    total = TASK.loss(model, batch, generator)["number"]
    total.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.line.parameters())  # type: ignore[union-attr]
    with pytest.raises(DataError, match="needs covariates"):
        TASK.infer(model, replace(batch, covariates=None), generator)


def test_a_case_without_a_number_counts_in_no_loss() -> None:
    some, plan = cases([1.0, 2.0, None, 5.0]), planned()
    state = TASK.learned(some, AGE, plan)
    torch.manual_seed(0)
    model = TASK.build(plan, state, nets).eval()
    generator = torch.Generator()
    with torch.no_grad():
        mixed = TASK.loss(model, batch_of(some, state, plan), generator)["number"]
        alone = TASK.loss(model, batch_of([some[k] for k in (0, 1, 3)], state, plan), generator)["number"]
        none = TASK.loss(model, batch_of(some[2:3], state, plan), generator)["number"]
    assert torch.allclose(mixed, alone) and none == 0


def test_cases_that_are_mixed_are_mixed_with_their_covariates() -> None:
    n = 6
    x = torch.arange(n, dtype=torch.float32)
    plan = override(planned(), {"augment.mixup": 0.5, "augment.probability": 0})
    batch = Batch({"image": x.view(n, 1, 1, 1, 1).expand(n, 1, 1, 4, 4).clone()}, targets={"number": x[:, None]},
                  has={"number": torch.ones(n, dtype=torch.bool)}, covariates=x[:, None] * 2)  # fmt: skip
    mixed = augmented(batch, plan, torch.Generator().manual_seed(0))
    assert mixed.covariates is not None and set(mixed.targets) == {"number"}
    assert not torch.equal(mixed.targets["number"], batch.targets["number"])
    assert torch.allclose(mixed.covariates, 2 * mixed.targets["number"])
    assert torch.allclose(mixed.images["image"][:, 0, 0, 0, :1], mixed.targets["number"])


# ------------------------------------------------------------------------------------------------ the plan


def test_the_plan_says_what_was_chosen_why_and_how_to_choose_otherwise() -> None:
    prints = replace(PRINTS, covariates={"sex": Covariate(True, 2, 0, True), "bmi": Covariate(False, 90, 3, True),
                                         "death": Covariate(True, 2, 0, False)})  # fmt: skip
    plan = check(draft_plan(contract.default_for("number"), AGE, prints, CPU), TASK)
    assert (plan.task.name, plan.loss.name, plan.data.sampling) == ("regress", "smooth_l1", "whole")
    named = {"unit": "years", "covariates": "sex,bmi", "categories": "sex,death"}
    assert plan.task.options == {**named, "interval": "none", "coverage": 0.9}
    few = draft_plan(contract.default_for("number"), AGE, replace(prints, cases=19), CPU)
    assert "coverage" not in few.task.options, "so few cases promise hardly anything"
    for path, said in (
        ("task.name", "--task NAME"),
        ("task.options.unit", "'age' says so"),
        ("task.options.covariates", "not used: death"),
        ("task.options.categories", "may be codes"),
        ("loss.name", "odd truths"),
        ("augment.zoom", "may be a size"),
    ):
        assert said in plan.reasons[path]
    bare = draft_plan(TASK, replace(AGE, unit=None), PRINTS, CPU)
    assert "--set task.options.unit" in bare.reasons["task.options.unit"] and bare.task.options["unit"] == ""


def test_options_of_the_plan_are_checked() -> None:
    plan = draft_plan(TASK, AGE, PRINTS, CPU)
    assert check(override(plan, {"task.options.unit": "months"}), TASK).task.options["unit"] == "months"
    with pytest.raises(UnknownName, match="option of task regress 'units'"):
        check(override(plan, {"task.options.units": "months"}), TASK)
    with pytest.raises(PlanError, match="must be a text"):
        check(override(plan, {"task.options.unit": 3}), TASK)
    with pytest.raises(PlanError, match="beta"):
        check(override(plan, {"loss.options.beta": -1.0}), TASK)
