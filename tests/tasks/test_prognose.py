"""Prognosis: from raw answers to curves, baselines and calibration by hand; leaks, arms and what is not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case, Event
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.tally import Tally
from vesalius.prepare.batch import Batch, Example
from vesalius.survival.cox import fit_cox
from vesalius.survival.curves import aalen_johansen, kaplan_meier
from vesalius.survival.observed import observed
from vesalius.tasks import _awaited, _awaiting, _clinic, _prognosis, _rescaling
from vesalius.tasks._survivor import LineSurvivor, Outputs
from vesalius.tasks.prognose import TASK

ENDS = np.array([10.0, 20.0, 40.0])


def state(
    kind: str = "cox", *, causes: tuple[str, ...] = (), arms: tuple[str, ...] = (), **more: Any
) -> State:
    """A state of one event with a baseline of two steps, or three intervals."""
    many = len(causes) or 1
    about = {"name": "survival", "causes": list(causes), "shares": [1 / many] * many, "n": 9, "happened": 5}
    values = {"target": "survival", "events": [about], "centre": [0.5], "model": kind, "horizon": 0.0, **more}
    hazard = np.outer(np.arange(1, many + 1), [0.1, 0.3])
    arrays = {
        "days-0": np.array([10.0, 30.0]),
        "hazard-0": hazard,
        "error-0": np.array([0.2, 0.1]),
        "ends-0": ENDS,
    }
    return State(values | ({"arms": list(arms)} if arms else {}), arrays)


def raw(logits: Any, *, risk: Any = 0.0, given: Any = 0.0) -> np.ndarray:
    """Raw answers `(M, A, 1 + 1 + W)`."""
    said = np.asarray(logits, np.float64)
    head = np.broadcast_to(np.stack(np.broadcast_arrays(given, risk), -1), (*said.shape[:2], 2))
    return np.concatenate([head, said], axis=-1)


def known(n: int = 60, causes: int = 1, seed: int = 0) -> list[Event]:
    """Events with ties, causes and late entries."""
    rng = np.random.default_rng(seed)
    time, cause = rng.integers(20, 60, n).astype(float), rng.integers(0, causes + 1, n)
    return [
        Event(
            t,
            c > 0,
            f"c{c}" if c and causes > 1 else None,
            float(rng.integers(1, 10)) if rng.random() < 0.3 else None,
        )
        for t, c in zip(time, cause, strict=True)
    ]


def cases(events: list[Event], **covariates: Any) -> list[Case]:
    rows = [dict(zip(covariates, row, strict=True)) for row in zip(*covariates.values(), strict=True)]
    held = rows or [{} for _ in events]
    return [
        Case(f"c{k}", {}, reference=None, targets={"survival": e}, covariates=own)
        for k, (e, own) in enumerate(zip(events, held, strict=True))
    ]


def test_a_cox_answer_is_the_baseline_to_the_power_of_the_hazard_ratio() -> None:
    answer = _prognosis.curve(raw([[[0.7]]], risk=0.7), state(), {})
    np.testing.assert_allclose(answer.survival["all"], np.exp(-np.array([0.1, 0.3]) * np.exp(0.7)))
    assert answer.risk == pytest.approx(0.7 - 0.5) and answer.rank is None and answer.given is None
    assert answer.share == 0.95 and answer.low is not None and answer.high is not None
    wide = np.exp(1.959964 * np.array([0.2, 0.1]))  # one member: the baseline's error alone
    np.testing.assert_allclose(answer.low["all"], answer.survival["all"] ** wide)
    np.testing.assert_allclose(answer.high["all"], answer.survival["all"] ** (1 / wide))


def test_members_that_differ_widen_the_band_and_are_averaged_as_log_hazards() -> None:
    one, two = (_prognosis.curve(raw([[[x]], [[-x]]]), state(), {}) for x in (0.1, 1.0))
    np.testing.assert_allclose(one.survival["all"], two.survival["all"])
    assert one.high is not None and two.high is not None and (two.high["all"] > one.high["all"]).all()


def test_causes_and_survival_add_up_to_one_and_the_arm_given_is_told() -> None:
    about = state(causes=("death", "relapse"), arms=("no", "yes"))
    said = raw([[[0.0, 0.5], [-1.0, 0.2]]], risk=[[0.3, -0.2]], given=[[0.0, 1.0]])
    answer = _prognosis.curve(said, about, {})
    assert list(answer.survival) == ["no", "yes"] and answer.given == "yes" and answer.incidence is not None
    for arm, survival in answer.survival.items():
        total = survival + sum(answer.incidence[arm].values())
        np.testing.assert_allclose(total, 1.0)
    assert answer.risk == pytest.approx(-0.2 - 0.5), "the risk is that under the arm given"
    first = answer.incidence["no"]
    assert first["relapse"][-1] / first["death"][-1] == pytest.approx(2 * np.exp(0.5)), "as their hazards are"


def test_discrete_hazards_multiply_up_and_deephits_masses_add_up() -> None:
    logits = np.array([-2.0, 0.3, 1.0])
    p = 1 / (1 + np.exp(-logits))
    hazard = _prognosis.curve(raw([[logits]]), state("hazard"), {})
    at = [hazard.at(day) for day in ENDS]
    np.testing.assert_allclose(at, np.cumprod(1 - p))
    assert hazard.low is None, "one member, and no baseline whose error were known"
    assert hazard.at(10) > hazard.at(15) > hazard.at(20), "between ends the hazard goes on"
    masses = np.array([0.1, 0.2, 0.05, 0.15, 0.2, 0.1, 0.2])  # two causes in three intervals, and none
    both = _prognosis.curve(raw([[np.log(masses)]]), state("deephit", causes=("a", "b")), {})
    np.testing.assert_allclose([both.at(day) for day in ENDS], [0.7, 0.5, 0.2], atol=1e-9)
    assert both.incidence is not None
    np.testing.assert_allclose(both.incidence["all"]["a"][[3, 7, 11]], [0.1, 0.15, 0.35], atol=1e-2)


def test_a_summary_keeps_the_risk_sets_causes_and_entries_of_the_cases_and_merges() -> None:
    events = known(causes=2)
    info = TargetInfo("survival", "event", (Label(0, "0"), Label(1, "c1"), Label(2, "c2")))
    halves = [_awaited.summary(cases(part), info) for part in (events[:25], events[25:])]
    values, arrays = _awaited.learned(halves[0].merged(halves[1]), info)
    seen = observed(
        np.array([e.time_days for e in events]),
        np.array([int(e.cause[1]) if e.cause else 0 for e in events]),
        entry_days=np.array([e.entry_days or 0.0 for e in events]),
        causes=("c1", "c2"),
    )
    days = arrays["known-days-0"]
    np.testing.assert_allclose(arrays["known-0"][0], kaplan_meier(seen).at(days))
    np.testing.assert_allclose(arrays["known-0"][2], aalen_johansen(seen, "c2").at(days))
    assert values[0]["causes"] == ["c1", "c2"] and values[0]["happened"] == int(seen.happened.sum())
    assert len(arrays["ends-0"]) <= 20 and arrays["ends-0"][-1] == seen.time_days.max()
    with pytest.raises(DataError, match="happened to no training case"):
        _awaited.learned(_awaited.summary(cases([Event(5.0, False)]), info), info)


def test_a_baseline_is_breslows_over_those_whose_arm_and_event_are_known() -> None:
    events = known(40)
    rng = np.random.default_rng(1)
    x = rng.normal(size=40)
    info = TargetInfo("survival", "event")
    values, arrays = _awaited.learned(_awaited.summary(cases(events), info), info)
    about = State(
        {"events": values, "model": "cox", "centre": [0.0], "target": "survival", "horizon": 0.0}, arrays
    )
    rows: list[Any] = [np.array([[e.time_days, e.happened, e.entry_days or 0.0]], np.float32) for e in events]
    said = raw(x[:, None, None], risk=x[:, None])
    found = _prognosis.remembered(said, rows, about)
    seen = observed(
        np.array([e.time_days for e in events]),
        np.array([int(e.happened) for e in events]),
        entry_days=np.array([e.entry_days or 0.0 for e in events]),
    )
    days = found.arrays["days-0"]
    np.testing.assert_allclose(found.arrays["hazard-0"][0], _awaited.breslow(x, seen).at(days), rtol=1e-6)
    assert found.values["centre"][0] == pytest.approx(x.mean())
    fewer = _prognosis.remembered(said, [None, *rows[1:]], about)
    assert fewer.values["centre"][0] == pytest.approx(x[1:].mean())
    flat = _prognosis.trivial(found)
    assert flat is not None and flat.risk == 0.0
    np.testing.assert_allclose(flat.survival["all"], kaplan_meier(seen).at(flat.times_days))


def test_a_scale_and_a_shift_are_found_where_they_help_and_left_alone_where_not() -> None:
    rng = np.random.default_rng(0)
    risk = rng.normal(size=4000)
    hazard = rng.uniform(0.2, 1.0, 4000) * np.exp(risk)
    counts = rng.poisson(hazard * np.exp(0.3 - 0.5 * risk))
    scale, shift, gain = _rescaling.rescaled(risk, hazard, counts)
    assert scale == pytest.approx(0.5, abs=0.05) and shift == pytest.approx(0.3, abs=0.05) and gain > 100
    right = _rescaling.rescaled(risk, hazard, rng.poisson(hazard))
    assert right[0] == pytest.approx(1.0, abs=0.06) and right[2] < 6
    turned = _rescaling.rescaled(risk, hazard, rng.poisson(hazard * np.exp(-1.5 * risk)))
    assert turned[0] == pytest.approx(_rescaling.LEAST), (
        "an order that is wrong on new cases is no reason to turn it round"
    )


def test_calibration_moves_curves_and_ranks_by_answers_of_models_that_had_not_seen_the_cases() -> None:
    events = [Event(float(5 + k % 35), k % 2 == 0) for k in range(60)]
    raws = [raw([[[0.05 * k]]], risk=0.05 * k) for k in range(60)]
    found = _prognosis.calibrated(raws, events, state(), folds=5)["events"]["survival"]
    assert found["centre"] == pytest.approx(0.05 * 29.5) and len(found["risks"]) == 101
    assert found["scale"] < 1 and found["gain"] > 2, "risks that told nothing are shrunk"
    middle = raw([[[0.05 * 29.5]]], risk=0.05 * 29.5)
    answer = _prognosis.curve(middle, state(), {"events": {"survival": found}})
    assert answer.rank == pytest.approx(0.5) and answer.risk == pytest.approx(0.0)
    named = _prognosis.calibrated(raws, [{"survival": e, "other": e} for e in events], state(), folds=5)
    assert named["events"] == {"survival": found}, "an event that the model does not know is passed by"
    few = _prognosis.calibrated(raws[:8], events[:8], state(), folds=5)["events"]["survival"]
    assert "scale" not in few, "four events tell nothing of a scale"


def test_the_clinics_model_is_that_of_the_room_of_survival_and_asks_about_each_arm() -> None:
    rng = np.random.default_rng(2)
    n = 150
    age, arm = rng.normal(size=n), rng.integers(0, 2, n)
    time = rng.exponential(100 / np.exp(0.8 * age - 0.7 * arm))
    covariates = np.stack([age, 1 - arm, arm, np.ones(n)], axis=1).astype(np.float32)
    rows = np.stack([time, np.ones(n), np.zeros(n)], axis=1).astype(np.float32)
    examples = [Example(f"c{k}", {}, {"event": rows[k][None]}, covariates=covariates[k]) for k in range(n)]
    about = state(arms=("no", "yes"))
    found = _clinic.remembered(examples, about)
    seen = observed(rows[:, 0].astype(float), np.ones(n))
    fitted = fit_cox(np.stack([age, 1.0 - arm], 1), seen, names=["age", "no"], penalty=1 / n)
    np.testing.assert_allclose(found.values["clinic"]["weights"][:2], fitted.coefficients, rtol=1e-4)
    assert found.values["clinic"]["weights"][2:] == [0.0, 0.0], "what other columns tell already"
    answer = _clinic.said(examples[0], found)
    assert answer is not None and answer.given == ("no", "yes")[arm[0]]
    assert (answer.survival["yes"] > answer.survival["no"]).all()
    assert _clinic.said(examples[0], about) is None
    assert _clinic.independent(np.stack([age, 2 * age + 3, np.ones(n), arm], 1)) == [0, 3]


def test_arms_are_asked_about_whatever_was_given_and_a_case_without_one_teaches_nothing() -> None:
    outputs = [Outputs("cox", 1, (1.0,), (10.0,), 0)]
    model = LineSurvivor(1, outputs, arms=2, arm_columns=3)
    torch.nn.init.normal_(model.head.weight)
    rows = torch.tensor(
        [[0.5, 1.0, 0.0, 1.0], [0.5, 0.0, 1.0, 1.0], [0.5, 0.0, 0.0, 0.0], [-1.0, 1.0, 0.0, 1.0]]
    )
    events = torch.tensor([[[5.0, 1.0, 0.0]], [[7.0, 1.0, 0.0]], [[2.0, 1.0, 0.0]], [[9.0, 0.0, 0.0]]])
    batch = Batch({}, case_ids=tuple("abcd"), covariates=rows, targets={"event": events})
    said = TASK.infer(model, batch, torch.Generator())
    assert said.shape == (4, 2, 3) and said[:, :, 0].tolist() == [[1, 0], [0, 1], [0, 0], [1, 0]]
    torch.testing.assert_close(said[0, :, 1:], said[1, :, 1:])
    assert not torch.equal(said[0, 0, 1:], said[0, 1, 1:])
    whole = TASK.loss(model, batch, torch.Generator())["event"]
    other = events.clone()
    other[2] = torch.tensor([[8.0, 0.0, 0.0]])
    changed = TASK.loss(
        model, Batch({}, case_ids=tuple("abcd"), covariates=rows, targets={"event": other}), torch.Generator()
    )
    torch.testing.assert_close(whole, changed["event"])


@pytest.mark.parametrize(
    ("name", "leaks"),
    [
        ("age", False),
        ("stay", True),
        ("alive_at_two", True),
        ("ended", True),
        ("sex", False),
        ("relapse_days", False),
    ],
)
def test_a_covariate_that_says_the_outcome_is_refused(name: str, leaks: bool) -> None:
    rng = np.random.default_rng(3)
    events = [Event(float(t), bool(rng.random() < 0.6)) for t in rng.uniform(10, 1000, 60)]
    time = np.array([e.time_days for e in events])
    columns = {
        "age": rng.normal(size=60),
        "stay": np.round(time / 30.4, 2),
        "alive_at_two": np.where(time > 300, "yes", "no"),
        "ended": np.array([float(e.happened) for e in events]),
        "sex": np.array(["F", "M"] * 30),
        "relapse_days": time - 1,  # called as an outcome: it is not learned from unless somebody names it
    }
    held = tuple(cases(events, **{name: columns[name].tolist(), "bmi": rng.normal(size=60).tolist()}))
    info = TargetInfo("survival", "event")
    cohort = Cohort(Path("x"), "table", held, {"survival": info})
    found = _awaiting.missing(cohort, info)
    assert bool(found) == leaks
    named = Cohort(Path("x"), "table", held, {"survival": info}, covariates=(name,))
    assert bool(_awaiting.missing(named, info)) == (leaks or name == "relapse_days")


def test_events_that_nobody_had_are_missing_in_words() -> None:
    info = TargetInfo("survival", "event")
    none = Cohort(Path("x"), "table", tuple(cases([Event(5.0, False), Event(6.0, True)])), {"survival": info})
    assert _awaiting.missing(none, info) == ("'survival' in at least two cases (it happened in 1 of 2)",)
    assert "a time to an event" in _awaiting.missing(none, None)[0]
    with pytest.raises(DataError, match="same treatment in 'arm'"):
        _awaiting.arms({"values": ["a"], "missing": 0}, "arm", Tally.of(["a"] * 20))
    with pytest.raises(DataError, match="case c: the cause 'flu' of 'survival' was not learned"):
        _awaited.number_of(Event(3.0, True, "flu"), _awaited.awaited(state(causes=("a", "b")))[0], "c")


def test_an_arm_of_few_cases_is_refused_before_anything_is_learned() -> None:
    about = {"values": ["chemo", "none"], "missing": 0}
    with pytest.raises(DataError, match=r"too few training cases of an arm in 'arm'.*given 'chemo' to 9"):
        _awaiting.arms(about, "arm", Tally.of(["none"] * 30 + ["chemo"] * 9))
    assert _awaiting.arms(about, "arm", Tally.of(["none"] * 30 + ["chemo"] * 10))[0] == ["chemo", "none"]

    def missing(treated: int) -> tuple[str, ...]:
        made = cases([Event(5.0 + k, k % 2 == 0) for k in range(30)])
        given = [
            replace(c, covariates={"x": float(k % 7), "arm": int(k < treated)}) for k, c in enumerate(made)
        ]
        info = TargetInfo("survival", "event", arm="arm")
        return _awaiting.missing(Cohort(Path("x"), "table", tuple(given), {"survival": info}), info)

    assert missing(10) == ()
    assert missing(9) == (
        "10 or more cases of each arm in 'arm', which gives '1' to 9 (leave these cases out)",
    )


def test_an_explanation_of_a_benefit_follows_both_arms() -> None:
    raw = torch.tensor([[[1.0, -0.5, -0.5], [0.0, 0.3, 0.3]]], requires_grad=True)
    TASK.scalar(raw, Ask("benefit", place=1, sum={1: -0.2, 0: 0.3})).sum().backward()
    assert raw.grad is not None and raw.grad[0, :, 1].tolist() == pytest.approx([0.3, -0.2])
    assert TASK.scalar(raw.detach(), Ask("risk", place=1)).tolist() == pytest.approx([0.3])


def test_members_that_lack_a_fold_each_lie_nearer_than_models_of_other_patients() -> None:
    # of a mean the jackknife of groups is exact: the standard error is that of the mean of the groups' means
    groups = np.random.default_rng(0).normal(size=(5, 40)).mean(axis=1)
    members = np.array([np.delete(groups, k).mean() for k in range(5)])
    assert _prognosis.jackknife(5) * members.std(ddof=1) == pytest.approx(groups.std(ddof=1) / np.sqrt(5))
    assert _prognosis.jackknife(0) == 1.0

    # two members, whose log hazards lie 0.2 apart: the band of log H is 1.96 standard errors to either side
    raw = np.array([[[1.0, v, v]] for v in (-0.1, 0.1)])
    about = state()
    for calibration, wider in (({}, 1.0), ({"apart": 2.0}, 2.0)):
        made = _prognosis.curve(raw, about, calibration)
        assert made.low is not None
        (line,), (low,) = made.survival.values(), made.low.values()
        hazard, upper = -np.log(line), -np.log(low)
        error = np.log(upper / hazard)[hazard > 0] / 1.959964
        baseline = np.asarray(about.arrays["error-0"])[hazard > 0]
        assert error == pytest.approx(np.hypot(wider * np.std([-0.1, 0.1], ddof=1), baseline), rel=1e-6)
