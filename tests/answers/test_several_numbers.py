"""What is done with several numbers: asked, doubted, promised, held against the truth, drawn, read and written."""

import math
from dataclasses import replace

import numpy as np
import pytest

from vesalius.answers import contract
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.bounds import Bounds
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.doubt import Doubt
from vesalius.core.encoding import as_text, from_text
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.promise import Limits, limits_of
from vesalius.evaluate import conformal
from vesalius.evaluate.kept import Outcome, section
from vesalius.evaluate.report import Report, render
from vesalius.evaluate.scorecard import scorecard

HANDLING, SINGLE = contract.of(Numbers), contract.of(Value)
UNITS = {"age": "years", "volume": "ml"}


def numbers(age, volume, case="c", **more):
    parts = {"age": Value(x=age, unit="years"), "volume": Value(x=volume, unit="ml")}
    return Numbers(case_id=case, parts=parts, **more)


def limits(**at):
    return Limits(0.9, at, dict.fromkeys(at, 100), about={"age": {"low": 30.0, "high": 90.0}})


def test_columns_and_files_hold_each_number_with_its_unit():
    found = contract.columns(numbers(61.0, 4.5))
    assert found == {
        "numbers": 2, "age.value": 61.0, "age.unit": "years", "volume.value": 4.5, "volume.unit": "ml",
    }  # fmt: skip
    assert from_text(as_text(numbers(61.0, 4.5))).values["volume"].x == 4.5


def test_one_number_is_asked_about_by_its_name():
    assert contract.ask(numbers(1.0, 2.0)).place == 0
    asked = contract.ask(numbers(1.0, 2.0), "Volume")
    assert (asked.of, asked.place, asked.words) == ("number", 1, "volume")
    assert contract.ask(numbers(1.0, 2.0), "number=age").place == 0
    with pytest.raises(UnknownName, match="weight"):
        contract.ask(numbers(1.0, 2.0), "weight")


def test_each_number_has_its_own_threshold_and_the_bounds_that_follow_from_it():
    answer = HANDLING.promised(numbers(60.0, 4.0), limits(age=5.0, volume=0.5))
    assert answer.values["age"].promise.interval == (55.0, 65.0)
    assert answer.values["volume"].promise.interval == (3.5, 4.5)
    assert answer.values["volume"].promise.unit == "ml" and answer.promise.parts == ("age", "volume")
    assert "80 of 100" in answer.promise.remarks[0], "both at once: 1 - 2 × 0.1, after Bonferroni"
    wide = HANDLING.promised(numbers(88.0, 4.0), limits(age=5.0, volume=math.inf))
    assert any("beyond the numbers" in text for text in wide.values["age"].promise.remarks)
    assert wide.values["volume"].promise.interval == (None, None), "too few cases promise nothing"
    found = contract.columns(answer)
    assert (found["age.promise_low"], found["volume.promise_high"]) == (55.0, 4.5)


def test_of_many_numbers_nothing_is_promised_together():
    many = Numbers(parts={f"n{k}": Value(x=1.0) for k in range(12)})
    told = HANDLING.promised(many, Limits(0.9, {f"n{k}": 1.0 for k in range(12)}, {}))
    assert "promises nothing" in told.promise.remarks[0]
    alone = HANDLING.promised(Numbers(parts={"n": Value(x=1.0)}), Limits(0.9, {"n": 1.0}, {}))
    assert alone.promise.remarks == ()


def test_a_truth_that_is_not_known_is_strange_to_nobody():
    assert HANDLING.strangeness(numbers(60.0, 4.0), {"age": 55.0}, "absolute") == {"age": 5.0}
    assert HANDLING.extent(
        [(numbers(1, 2), {"age": 5.0}), (numbers(1, 2), {"age": 9.0, "volume": None})]
    ) == {"age": {"low": 5.0, "high": 9.0}}
    answer = HANDLING.promised(numbers(60.0, 4.0), limits(age=5.0, volume=0.5))
    assert HANDLING.kept(answer, {"age": 66.0}).held == {"age": 0.0}
    assert HANDLING.kept(answer, {"age": 65.0, "volume": 3.0}).held == {"age": 1.0, "volume": 0.0}
    assert HANDLING.kept(answer, {}) is None
    assert HANDLING.kept(answer, {"age": 65.0}).size is None, "years and millilitres have no mean width"


def test_promises_of_new_cases_hold_by_name():
    """Of 2,000 new cases whose two errors have different laws each is covered as promised, by its own threshold."""
    rng = np.random.default_rng(0)
    truth = rng.normal(50, 10, size=(2400, 2))
    said = truth + rng.normal(size=(2400, 2)) * (1.0, 8.0)
    answers = [numbers(*row) for row in said]
    truths = [{"age": a, "volume": b} for a, b in truth]
    fitted = conformal.fit(
        [HANDLING.strangeness(a, t, "") for a, t in zip(answers[:400], truths[:400], strict=True)], 0.9
    )
    record = {
        "coverage": 0.9,
        "way": "",
        **fitted.json(),
        "about": {},
        "on": {"cases": 400, "when": "", "source": ""},
    }
    case = Case("c", {})
    made = [HANDLING.promised(a, limits_of(record, case)) for a in answers[400:]]
    held = [HANDLING.kept(a, t).held for a, t in zip(made, truths[400:], strict=True)]
    for name in UNITS:
        low, high = conformal.expected(2000, coverage=0.9, calibrated=400, level=0.999)
        assert low <= np.mean([one[name] for one in held]) <= high, name
    widths = {n: np.subtract(*made[0].values[n].promise.interval[::-1]) for n in UNITS}
    assert 6 < widths["volume"] / widths["age"] < 10, "each as wide as its own errors"
    outcomes = [
        Outcome(Case(str(k), {}), a.promise, HANDLING.kept(a, t))
        for k, (a, t) in enumerate(zip(made, truths[400:], strict=True))
    ]
    found = section(outcomes, {"promise": record}, patients=[str(k) for k in range(2000)])
    assert set(found["overall"]) == {"age", "volume"} and not any(
        o["below"] for o in found["overall"].values()
    )
    assert found["sizes"]["n"] == 0


def test_doubt_is_each_numbers_own():
    samples = [numbers(60.0, 4.0), numbers(62.0, 4.0), numbers(64.0, 4.0)]
    doubt = HANDLING.doubt(samples[0], samples)
    assert doubt.figures == {"sd_age": 2.0, "sd_volume": 0.0} and doubt.units["sd_age"] == "years"
    doubted = replace(samples[0], doubt=Doubt(figures={"sd_age": 2.0, "sd_volume": 1.0}))
    assert HANDLING.strangeness(doubted, {"age": 66.0, "volume": 3.0}, "normalised") == {
        "age": 3.0,
        "volume": 1.0,
    }


def bounded(x, low, high):
    return Value(x=x, unit="years", bounds=Bounds(low, high, 0.9))


def test_own_bounds_are_moved_by_what_they_missed():
    """Equation 6 of Romano et al. 2019, arXiv 1905.03222: the larger of low - y and y - high."""
    assert SINGLE.strangeness(bounded(5.0, 3.0, 8.0), 9.0, "quantile") == {"": 1.0}
    assert SINGLE.strangeness(bounded(5.0, 3.0, 8.0), 4.0, "quantile") == {"": -1.0}
    told = SINGLE.promised(bounded(5.0, 3.0, 8.0), Limits(0.9, {"": 1.5}, {"": 50}, "quantile"))
    assert told.promise.interval == (1.5, 9.5)
    nearer = SINGLE.promised(bounded(5.0, 3.0, 8.0), Limits(0.9, {"": -1.0}, {"": 50}, "quantile"))
    assert nearer.promise.interval == (4.0, 7.0), "bounds that were too wide are drawn nearer"
    gone = SINGLE.promised(bounded(5.0, 3.0, 8.0), Limits(0.9, {"": -9.0}, {"": 50}, "quantile"))
    assert gone.promise.interval == (5.5, 5.5), "and never pass each other"


def test_a_way_that_needs_bounds_says_so():
    with pytest.raises(DataError, match="bounds of their own"):
        SINGLE.strangeness(Value(x=1.0), 2.0, "quantile")
    told = SINGLE.promised(Value(x=1.0), Limits(0.9, {"": 1.0}, {"": 50}, "quantile"))
    assert told.promise.interval == (None, None) and "no bounds of its own" in told.promise.remarks[-1]


def test_own_bounds_are_stored_where_given_and_shown_as_unchecked():
    plain, own = Value(x=5.0), bounded(5.0, 3.0, 8.0)
    assert "bounds" not in as_text(plain) and from_text(as_text(own)).bounds == Bounds(3.0, 8.0, 0.9)
    assert contract.columns(own) == {"value": 5.0, "unit": "years", "low": 3.0, "high": 8.0}
    assert contract.columns(plain) == {"value": 5.0, "unit": ""}
    assert any("not calibrated" in line.text for line in contract.lines(own))


def card(n=12):
    rng = np.random.default_rng(1)
    answers = [
        HANDLING.promised(numbers(60 + k, 4 + 0.1 * k, str(k)), limits(age=3.0, volume=0.3)) for k in range(n)
    ]
    truths = [{"age": 60 + k + rng.normal(), **({"volume": 4 + 0.1 * k} if k % 3 else {})} for k in range(n)]
    rows = HANDLING.rows(list(zip(answers, truths, strict=True)), [str(k) for k in range(n)])
    means = [numbers(65.0, 4.5, str(k)) for k in range(n)]
    base = HANDLING.rows(list(zip(means, truths, strict=True)), [str(k) for k in range(n)])
    return scorecard(
        rows, "Numbers", split="test", data_hash="0" * 64, patients=[f"p{k}" for k in range(n)],
        baseline=base, baseline_is=HANDLING.baseline, resamples=50,
    )  # fmt: skip


def test_a_report_shows_each_number_in_its_own_unit():
    made = card()
    assert made.labels == ("age", "volume") and made.unit is None
    assert (made.unit_of("mae/age"), made.unit_of("mae/volume"), made.unit_of("r2")) == ("years", "ml", "")
    page = render(Report("a run", made))
    for text in ("age (years)", "volume (ml)", "Agreement (Bland", "Answer against truth", "relative error"):
        assert text in page, text
    table = HANDLING.case_table(made)
    assert table.heads[:4] == ("case", "age (years): truth", "answer", "error")
    unknown = next(row for row in table.rows if row[0].text == "0")
    assert unknown[4].text == "–" and unknown[6].text == "–", "a truth that is not known is a dash"
    again = HANDLING.again(made)
    assert np.array_equal(again["x/age"], [60.0 + k for k in range(12)]) and again.info["units"] == UNITS
    assert np.isnan(again["y/volume"][0]) and HANDLING.judge.summary(again, np.arange(12)) == pytest.approx(
        {name: found.value for name, found in made.metrics.items()}, nan_ok=True
    )


def test_another_tools_numbers_are_read_by_their_names(tmp_path):
    target = TargetInfo(
        "age,volume", "measures",
        parts=(TargetInfo("age", "number", unit="years"), TargetInfo("volume", "number", unit="ml")),
    )  # fmt: skip
    table = tmp_path / "theirs.csv"
    table.write_text("case,volume.value,age\na,4.5,61\nb,3,70\n")
    assert contract.for_target("measures") is HANDLING
    found = HANDLING.foreign(table, [Case("a", {}), Case("b", {})], target)
    assert found["a"].values["volume"].x == 4.5 and found["b"].values["age"].unit == "years"
    table.write_text("case,age\na,61\n")
    with pytest.raises(DataError, match="no column of 'volume'"):
        HANDLING.foreign(table, [Case("a", {})], target)
