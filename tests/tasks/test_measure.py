"""Several numbers at once, what is said of their spread, and tables without images: units, missing truths, bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from vesalius import nets
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan
from vesalius.prepare.batch import collate
from vesalius.prepare.case import BLANK, prepare
from vesalius.tasks import _spread, contract

TASK, ONE = contract.get("measure"), contract.get("regress")
BOTH = TargetInfo(
    "age,volume", "measures",
    parts=(TargetInfo("age", "number", unit="years"), TargetInfo("volume", "number", unit="ml")),
)  # fmt: skip
AGE = TargetInfo("age", "number", unit="years")
PICTURE = Image(array=np.random.default_rng(0).normal(size=(1, 1, 16, 16)).astype(np.float32))


def cases(
    ages: Sequence[Any], volumes: Sequence[Any], *, image: bool = True, **known: Any
) -> tuple[Case, ...]:
    """Cases with two numbers (None for none), with or without a picture, and covariates by name."""
    made = []
    for k, pair in enumerate(zip(ages, volumes, strict=True)):
        held = {n: v for n, v in zip(("age", "volume"), pair, strict=True) if v is not None}
        made.append(
            Case(
                f"c{k}",
                {"image": PICTURE} if image else {},
                reference="image" if image else None,
                targets={**held, **({"age,volume": held} if held else {})},
                covariates={name: values[k] for name, values in known.items()},
            )
        )
    return tuple(made)


def planned(
    options: Mapping[str, Any] | None = None, *, target: str = "age,volume", net: str = "resnet-10"
) -> Plan:
    unit = "years,ml" if "," in target else "years"
    return Plan(
        task=TaskPlan(name="measure", target=target, options={"unit": unit, **(options or {})}),
        data=DataPlan(
            dims=2, channels=1, sampling="whole", size=(1, 16, 16), normalise=(Normalisation(method="zscore"),)
        ),
        net=NetPlan(name=net, scale=0.125),
        loss=LossPlan(name="smooth_l1"),
        train=TrainPlan(steps=3, batch=4),
        fingerprint={"imageless": True} if net == "mlp" else {},
    )  # fmt: skip


SOME = cases([40.0, 60.0, 50.0, None], [1.0, None, 3.0, 2.0])
STATE = TASK.learned(SOME, BOTH, planned())


def batch_of(some: Sequence[Case], state: State, plan: Plan, task: Any = TASK) -> Any:
    made = []
    for case in some:
        prepared = prepare(case, plan.data, reference=case.images.get("image", BLANK))
        made.append(task.encode(case, prepared, BLANK, state))
    return collate(made)


def test_each_number_is_standardised_by_itself_and_answered_in_its_own_unit():
    each = STATE.values["numbers"]
    assert (each["age"]["mean"], each["age"]["n"], each["volume"]["mean"], each["volume"]["n"]) == (
        50,
        3,
        2,
        3,
    )
    answer = TASK.decode(np.array([[1.0, -1.0], [0.0, 0.0]]), STATE, {}, PICTURE)
    sd = {name: about["sd"] for name, about in each.items()}
    assert answer.values["age"].x == pytest.approx(50 + 0.5 * sd["age"])
    assert answer.values["volume"].x == pytest.approx(2 - 0.5 * sd["volume"])
    assert [v.unit for v in answer.values.values()] == ["years", "ml"] and answer.outside is None
    beyond = TASK.decode(np.array([[9.0, 0.0]]), STATE, {}, PICTURE)
    assert beyond.outside and "age" in beyond.outside[0] and "40 to 60 years" in beyond.outside[0]
    assert TASK.trivial(STATE, PICTURE).values["age"].x == 50.0
    assert (
        TASK.truth(SOME[1], STATE) == {"age": 60.0}
        and TASK.truth(replace(SOME[1], targets={}), STATE) is None
    )


def test_one_number_alone_is_what_it_was():
    """The state, the raw output and the answer of a single number are those of before: no key, no output more."""
    state = ONE.learned(SOME, AGE, planned(target="age"))
    assert list(state.values) == ["target", "unit", "n", "mean", "sd", "low", "high", "covariates"]
    model = ONE.build(planned(target="age"), state, nets)
    assert [n for n, _ in model.named_children()] == ["net", "criterion", "head"]
    batch = batch_of(SOME[:3], state, planned(target="age"), ONE)
    assert ONE.infer(model.eval(), batch, torch.Generator()).shape == (3, 1)
    assert list(ONE.loss(model, batch, torch.Generator())) == ["number"]


def test_a_number_that_a_case_lacks_counts_in_no_loss():
    model = TASK.build(planned(), STATE, nets).eval()
    batch = batch_of(SOME, STATE, planned())
    assert torch.isnan(batch.targets["number"]).tolist() == [
        [False, False],
        [False, True],
        [False, False],
        [True, False],
    ]
    raw = TASK.infer(model, batch, torch.Generator())
    error = (raw - batch.targets["number"]).abs()
    each = torch.where(error < 1, 0.5 * error**2, error - 0.5)
    known = ~each.isnan()
    found = TASK.loss(model, batch, torch.Generator())["number"]
    assert found.item() == pytest.approx((each.nan_to_num().sum() / known.sum()).item(), rel=1e-5)
    found.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_what_is_asked_is_one_of_the_outputs():
    raw = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert TASK.scalar(raw, Ask("number", 1)).tolist() == [2.0, 4.0]
    both = TASK.calibrated(torch.tensor([[[0.0, 0.0]]]), STATE, {})
    assert both.tolist() == [[50.0, 2.0]]
    assert TASK.opinion(torch.zeros(2, 6), STATE).values.shape == (2, 2)


@pytest.mark.parametrize(
    ("ages", "volumes", "said"),
    [
        ([40.0, 41.0], [1.0, None], "'volume' for at least two cases"),
        ([40.0, 41.0], [2.0, 2.0], "'volume' is 2 in all 2 cases"),
        ([40.0, 41.0], [2.0, float("inf")], "a finite number in 'volume'"),
    ],
)
def test_each_number_must_be_there_and_vary(ages, volumes, said):
    cohort = Cohort(Path("here"), "table", cases(ages, volumes), {"age,volume": BOTH})
    assert said in "; ".join(TASK.check(cohort, BOTH))


def test_units_are_one_for_each_number():
    with pytest.raises(PlanError, match="a unit for each of age, volume"):
        TASK.learned(SOME, BOTH, planned({"unit": "years"}))
    state = TASK.learned(SOME, BOTH, planned({"unit": ",ml"}))
    assert [a["unit"] for a in state.values["numbers"].values()] == ["", "ml"]


# ------------------------------------------------------------------------------------------- what is said of spread


def test_the_loss_of_a_variance_is_the_likelihood_of_a_normal_distribution():
    """Against scipy.stats.norm: the terms that do not depend on the variance are left out."""
    number, truth, log = (
        torch.tensor([[0.2], [1.0]]),
        torch.tensor([[0.5], [-1.0]]),
        torch.tensor([[0.4], [-0.3]]),
    )
    sd = np.exp(0.5 * log.numpy())
    expected = -stats.norm(number.numpy(), sd).logpdf(truth.numpy()).mean() - 0.5 * np.log(2 * np.pi)
    assert _spread.loss(log, number, truth, share=0.9).item() == pytest.approx(expected, rel=1e-5)


def test_the_best_quantiles_are_those_of_the_errors():
    """A head that may say one distance below and one above learns the 5th and the 95th percentile of the errors."""
    rng = np.random.default_rng(0)
    truth = torch.tensor(rng.exponential(size=(1000, 1)), dtype=torch.float32)
    number, said = torch.full((1000, 1), 0.7), torch.zeros(1, 2, requires_grad=True)
    optimiser = torch.optim.Adam([said], lr=0.1)
    for _ in range(150):
        optimiser.zero_grad()
        _spread.loss(said.expand(1000, 2), number, truth, share=0.9).backward()
        optimiser.step()
    low, high = _spread.bounds(np.array([[0.7]]), said.detach().numpy(), share=0.9)
    assert (low[0], high[0]) == pytest.approx(tuple(np.quantile(truth, [0.05, 0.95])), abs=0.08)


def test_bounds_never_cross_whatever_is_said():
    rng = np.random.default_rng(0)
    number = rng.normal(scale=50, size=(10_000, 1))
    low, high = (np.concatenate(b) for b in zip(*(
        _spread.bounds(number[k : k + 1], rng.normal(scale=80, size=(1, 2)), share=0.9) for k in range(10_000)
    ), strict=True))  # fmt: skip
    assert (low <= number[:, 0] + 1e-9).all() and (number[:, 0] <= high + 1e-9).all()


def test_members_are_mixed():
    """The quantiles of an even mixture of two normal distributions, against its distribution function in scipy."""
    number, log = np.array([[0.0], [4.0]]), np.log(np.array([[1.0], [0.25]]))
    low, high = _spread.bounds(number, log, share=0.9)
    share = lambda x: 0.5 * stats.norm.cdf(x) + 0.5 * stats.norm(4, 0.5).cdf(x)  # noqa: E731
    assert share(low[0]) == pytest.approx(0.05, abs=1e-6) and share(high[0]) == pytest.approx(0.95, abs=1e-6)
    alone = _spread.bounds(number[:1], log[:1], share=0.9)
    assert (alone[0][0], alone[1][0]) == pytest.approx((-1.645, 1.645), abs=1e-3)
    averaged = _spread.bounds(np.array([[0.0], [4.0]]), np.zeros((2, 2)), share=0.9)
    assert (averaged[0][0], averaged[1][0]) == pytest.approx((2 - 1.645, 2 + 1.645), abs=1e-3)


@pytest.mark.parametrize("how", ["normal", "quantiles"])
def test_a_spread_costs_the_answer_nothing(how):
    """No gradient of what is said of the spread reaches the net, the head or the line of covariates."""
    options = {"interval": how, "covariates": "bmi"}
    some = cases([40.0, 60.0, 50.0, 45.0], [1.0, 2.0, 3.0, 2.0], bmi=[20.0, 21.0, 25.0, 30.0])
    state = TASK.learned(some, BOTH, planned(options))
    model = TASK.build(planned(options), state, nets)
    terms = TASK.loss(model, batch_of(some, state, planned(options)), torch.Generator())
    terms["spread"].backward()
    assert all(
        p.grad is None or not p.grad.any() for n, p in model.named_parameters() if not n.startswith("spread")
    )
    assert any(p.grad is not None and p.grad.any() for p in model.spread.parameters())
    raw = (
        TASK.infer(model.eval(), batch_of(some[:1], state, planned(options)), torch.Generator())
        .detach()
        .numpy()
    )
    answer = TASK.decode(raw, state, {}, PICTURE)
    for value in answer.values.values():
        assert value.bounds.low < value.x < value.bounds.high and value.bounds.share == 0.9
    width = {
        n: (v.bounds.high - v.bounds.low) / state.values["numbers"][n]["sd"] for n, v in answer.values.items()
    }
    assert width == pytest.approx({"age": 3.29, "volume": 3.29}, abs=0.01), "untrained it is the normal one's"
    assert TASK.promises(planned(options)) == "quantile" and TASK.promises(planned()) == ""


def test_bounds_are_of_the_share_that_is_promised():
    state = TASK.learned(SOME, BOTH, planned({"interval": "normal", "coverage": 0.5}))
    answer = TASK.decode(np.zeros((1, 4)), state, {}, PICTURE)
    assert answer.values["age"].bounds.share == 0.5
    half = answer.values["age"].bounds.high - 50.0
    assert half == pytest.approx(0.6745 * state.values["numbers"]["age"]["sd"], rel=1e-3)


def test_a_last_layer_in_closed_form_has_no_spread():
    plan = planned({"interval": "quantiles"})
    model = TASK.build(plan, TASK.learned(SOME, BOTH, plan), nets)
    with pytest.raises(PlanError, match="interval=none"):
        TASK.last_layer(model)


# ------------------------------------------------------------------------------------------------ without images


def test_a_table_alone_is_learned_from_by_its_columns():
    plan = planned({"covariates": "bmi,sex", "categories": "sex"}, net="mlp")
    some = cases(
        [40.0, 60.0, 50.0, 45.0],
        [1.0, 2.0, 3.0, 2.0],
        image=False,
        bmi=[20.0, 21.0, 25.0, 30.0],
        sex=list("FMFM"),
    )
    state = TASK.learned(some, BOTH, plan)
    assert TASK.check(Cohort(Path("here"), "table", some, {"age,volume": BOTH}), BOTH) == ()
    batch = batch_of(some, state, plan)
    assert batch.covariates.shape == (4, 3) and not batch.images and TASK.geometry(some[0], state) is BLANK
    model = TASK.build(plan, state, nets).eval()
    raw = TASK.infer(model, batch, torch.Generator())
    assert raw.shape == (4, 2) and not torch.equal(raw[0], raw[1])
    assert TASK.geometry(some[0], STATE) is None, "a model of images has no answer without one"


def test_a_net_of_columns_does_not_read_images_nor_one_of_images_a_table():
    table = planned({"covariates": "bmi"}, net="mlp")
    TASK.check_plan(table, BOTH)
    with pytest.raises(PlanError, match="reads images"):
        TASK.check_plan(table.model_copy(update={"net": NetPlan(name="resnet-10")}), BOTH)
    with pytest.raises(PlanError, match="columns alone"):
        TASK.check_plan(planned().model_copy(update={"net": NetPlan(name="mlp")}), BOTH)
    with pytest.raises(PlanError, match="must be covariates"):
        TASK.check_plan(planned(net="mlp"), BOTH)


def test_some_cases_without_an_image_are_a_fault():
    mixed = (*SOME[:3], *cases([50.0], [2.0], image=False, bmi=[20.0]))
    said = TASK.check(Cohort(Path("here"), "table", mixed, {"age,volume": BOTH}), BOTH)
    assert "an image for each case" in said[0]


def test_noise_is_added_while_it_learns_alone_and_outliers_are_bounded():
    net = nets.build("mlp", dims=2, in_channels=3, options={"noise": 0.5}, dropout=0.0)
    x = torch.zeros(2, 3)
    assert not torch.equal(net.train()(x)[-1], net(x)[-1]) and torch.equal(net.eval()(x)[-1], net(x)[-1])
    far, further = (net(torch.full((1, 3), v))[-1] for v in (6.0, 1000.0))
    assert torch.equal(far, further)
    assert [m.shape for m in net(x)] == [(2, 128, 1), (2, 128, 1)]
