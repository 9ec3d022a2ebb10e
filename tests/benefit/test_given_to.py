"""What a state holds of treatments: told again as it was learned, in words, and refused where only one was given."""

from __future__ import annotations

import json

import pytest
from tests.benefit._treated import cases, person, remembered, state

from vesalius.benefit import given, tabulate
from vesalius.benefit.support import Group
from vesalius.core.bundle import State
from vesalius.core.errors import DataError
from vesalius.core.treatment import gain_name
from vesalius.tasks import _treated


def test_patients_whom_nobody_treated_are_refused_and_others_are_not() -> None:
    learned = remembered(old_untreated=True)
    support = given.support(learned)
    assert support is not None
    support.assert_supported(given.known(person(50), learned))
    with pytest.raises(DataError, match="patients like this one had only control"):
        support.assert_supported(given.known(person(85), learned))
    assert given.outside(person(50), learned) == ()
    (said,) = given.outside(person(85), learned)
    assert said.startswith("patients like this one did not have 'drug'")


def test_counts_are_those_of_the_cases() -> None:
    learned = remembered()
    counted = {
        arm: (
            sum(c.covariates["arm"] == arm for c in cases()),
            sum(c.covariates["arm"] == arm and c.targets["survival"].happened for c in cases()),  # type: ignore[union-attr]
        )
        for arm in ("control", "drug")
    }
    assert given.totals(learned) == counted
    _, arms = given.like(person(50), learned)
    assert set(arms) == {"control", "drug"} and all(one.n > 0 for one in arms.values())


def test_an_arm_that_few_were_given_is_learned_as_a_refusal() -> None:
    few = [c for c in cases() if c.covariates["arm"] == "control"] + [
        c for c in cases() if c.covariates["arm"] == "drug"
    ][:3]
    learned = _treated.remembered(few, state())
    assert given.support(learned) is None
    assert "'drug' was given to too few patients" in learned.values[given.UNSUPPORTED]
    (said,) = given.outside(person(50), learned)
    assert said.startswith("nothing is said of what a treatment changes")


def test_one_arm_leaves_a_state_as_it_was() -> None:
    one = State({**state().values, "arms": []}, {})
    assert _treated.remembered(cases(), one) is one
    assert given.treatment(one) is None and given.outside(person(50), one) == ()


def test_conditions_are_said_as_ranges_and_words() -> None:
    learned = remembered()
    group = Group(((0, True, 80.0), (0, False, 52.5), (1, False, 0.5)), (1, 1))
    assert given.words(group, learned) == "age from 52.5 to 80, sex M"
    assert given.words(Group(((1, True, 0.5),), (1, 1)), learned) == "not sex M"
    assert given.words(Group((), (1, 1)), learned) == "all"


def test_a_state_names_no_patient() -> None:
    text = json.dumps(remembered().values)
    assert not [c.id for c in cases() if f'"{c.id}"' in text]


def test_what_is_known_becomes_numbers_in_their_own_units() -> None:
    rows: list[dict[str, float | str | None]] = [
        {"age": 60.0, "stage": 2.0, "sex": "F"},
        {"age": 70.0, "stage": 3.0, "sex": None},
        {"age": None, "stage": 3.0, "sex": "M"},
    ]
    about = tabulate.learn(rows, ["age", "stage", "sex", "nothing"], ["stage"])
    assert tabulate.columns(about) == ("age", "age known", "stage 3", "sex M", "sex known")
    assert tabulate.encode(rows[0], about).tolist() == [60, 1, 0, 0, 1]
    assert tabulate.encode(rows[1], about).tolist() == [70, 1, 1, 0, 0]
    assert tabulate.encode(rows[2], about).tolist() == [65, 0, 1, 1, 1]
    with pytest.raises(DataError, match="'age' is a number of those who are known"):
        tabulate.encode({"age": "old"}, about)


def test_a_benefit_is_named_by_its_measure_and_its_arms() -> None:
    assert gain_name("survival", 3 * 365.25, "a", "b") == "survival_3_years_b_less_a"
    assert gain_name("restricted_mean", 1095.75, "a", "b") == "mean_days_until_1095.75_b_less_a"
