"""What is done with grades: one way to say what is called, ranges without holes, and classes judged beside them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from vesalius import formats
from vesalius.answers import contract
from vesalius.core import grades
from vesalius.core.answers.scores import Scores
from vesalius.core.case import Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.promise import Limits
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.metrics import scores

NAMES = ("none", "mild", "moderate", "severe")
LABELS = tuple(Label(k, n) for k, n in enumerate(NAMES))
HANDLING = contract.of(Scores)


def graded(*p: float, **more: object) -> Scores:
    return Scores(labels=LABELS, p=np.array(p), kind="ordinal", decision="median", **more)  # type: ignore[arg-type]


SPLIT = graded(0.4, 0.15, 0.05, 0.4)  # the likeliest is none, the median mild


def test_the_called_grade_is_the_same_wherever_it_is_said() -> None:
    assert HANDLING.columns(SPLIT)["answer"] == "mild"
    assert HANDLING.summary(SPLIT)["called"] == "mild"
    assert HANDLING.lines(SPLIT)[0].text == "mild"
    mark = next(m for m in HANDLING.marks(SPLIT) if m.name == "grade called")
    assert mark.value == "mild" and mark.margin == pytest.approx(
        0.1
    )  # 0.45 lies above mild, and 0.6 above none
    rows = HANDLING.judge.rows([SPLIT], ["none"])
    assert HANDLING.case(rows, 0)["called"] == "mild" and HANDLING.case(rows, 0)["off"] == 1
    assert HANDLING.sure(SPLIT) == HANDLING.sureness(rows)[0] == 0.15
    assert HANDLING.wrong(SPLIT, "none") and not HANDLING.wrong(SPLIT, "mild")


def test_grades_of_before_are_what_they_were() -> None:
    old = Scores(labels=LABELS, p=SPLIT.p, kind="ordinal")
    assert set(HANDLING.columns(old)) == {f"p_{n}" for n in NAMES} and old.called == 0
    assert set(HANDLING.summary(old)) == {"labels", "operating_point", "positive"}
    text = Path(str(formats.write(old, Path("old.json")))).read_text(encoding="utf-8")
    assert "decision" not in text


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_json_gives_the_decision_back() -> None:
    back = formats.read_answer(formats.write(SPLIT, Path("one.json")))
    assert isinstance(back, Scores) and back.decision == "median" and back.called == 1


def test_a_range_has_no_hole_and_holds_the_called_grade() -> None:
    rng = np.random.default_rng(0)
    for p in rng.dirichlet([0.3] * 4, 300):
        answer = graded(*p)
        for at in (0.0, 0.3, 0.6, 0.9, math.inf):
            made = HANDLING.promised(answer, Limits(0.9, {"": at}, {"": 100}))
            assert made.promise is not None and made.promise.labels is not None
            places = [NAMES.index(n) for n in made.promise.labels]
            assert places == list(range(places[0], places[-1] + 1)) and answer.called in places


def test_ranges_keep_their_promise_and_are_short_where_the_model_is_sure() -> None:
    from vesalius.evaluate.conformal import fit

    rng = np.random.default_rng(1)
    p = rng.dirichlet([0.5] * 4, 3000)
    truth = (rng.random((3000, 1)) > np.cumsum(p, axis=1)).sum(axis=1)
    answers = [graded(*one) for one in p]
    strange = [
        HANDLING.strangeness(a, NAMES[t], "") for a, t in zip(answers[:1000], truth[:1000], strict=True)
    ]
    at = fit(strange, 0.9).pooled
    kept = [
        HANDLING.kept(HANDLING.promised(a, Limits(0.9, at.at, at.n)), NAMES[t])
        for a, t in zip(answers[1000:], truth[1000:], strict=True)
    ]
    share = np.mean([k.held[""] for k in kept if k is not None])
    assert 0.88 < share < 0.92 and np.mean([k.size for k in kept if k is not None]) < 3
    sure = graded(0.02, 0.95, 0.02, 0.01)
    assert HANDLING.strangeness(sure, "mild", "") == {"": 0.0}  # a range that is one grade is enough
    assert HANDLING.strangeness(sure, "none", "") == {"": pytest.approx(0.97)}  # moderate is taken in before


def test_a_cut_and_the_mean_grade_can_be_asked_after() -> None:
    assert contract.ask(SPLIT).of == "mean_grade"
    found = contract.ask(SPLIT, "at_least")
    assert found.place == 1 and found.words == "at least mild"
    assert contract.ask(SPLIT, "at_least=severe").place == 3
    assert contract.ask(SPLIT, "severe").of == "label"
    with pytest.raises(DataError, match="every grade is at least none"):
        contract.ask(SPLIT, "at_least=none")
    with pytest.raises(DataError, match="one number"):
        contract.ask(SPLIT, "mean_grade=2")
    plain = Scores(labels=LABELS, p=SPLIT.p)
    assert contract.ask(plain).of == "label"
    with pytest.raises(DataError, match="asked of grades"):
        contract.ask(plain, "at_least")
    assert HANDLING.asks_of({"kind": "exclusive"}) == ("label",)
    assert HANDLING.asks_of({"kind": "ordinal"}) == ("label", "at_least", "mean_grade")


def test_classes_in_another_order_are_judged_as_the_grades_that_stand_beside_them() -> None:
    rng = np.random.default_rng(2)
    p, y = rng.dirichlet([1] * 4, 60), rng.integers(0, 4, 60)
    ordered = scores.from_arrays(p, y, labels=NAMES, kind="ordinal", decision="median")
    by_name = sorted(range(4), key=lambda k: NAMES[k])  # mild, moderate, none, severe
    place = np.argsort(by_name)
    plain = scores.from_arrays(p[:, by_name], place[y], labels=[NAMES[k] for k in by_name])
    for pair in ((ordered, plain), (plain, ordered)):
        first, second, note = HANDLING.alike(*pair)
        assert "without an order" in note and first.info["labels"] == second.info["labels"] == NAMES
        other = second if pair[0] is ordered else first
        assert np.array_equal(other["p"], p) and np.array_equal(other["y"], y)
        assert np.array_equal(other["decided"], p.argmax(axis=1))  # as it was called
        assert "kappa" in scores.summary(scores.joined(first, second), np.arange(120))
    assert HANDLING.alike(plain, plain)[2] == ""


def test_curves_and_calls_are_those_of_the_cuts() -> None:
    rng = np.random.default_rng(3)
    p, y = rng.dirichlet([1] * 4, 80), rng.integers(0, 4, 80)
    rows = scores.from_arrays(p, y, labels=NAMES, kind="ordinal", decision="median")
    curves = HANDLING.curves(rows)
    assert list(curves["roc"]) == list(curves["calibration"]) == [f"at least {n}" for n in NAMES[1:]]
    assert np.array(curves["confusion"]).sum() == 80
    asked = {name: (so, over, called) for name, so, over, called in HANDLING.questions(rows)}
    so, over, called = asked["at least severe"]
    assert np.array_equal(so, y == 3) and over == pytest.approx(p[:, 3])
    assert np.array_equal(called, grades.median(p) == 3)


def test_a_table_of_grades_is_read_with_what_it_calls() -> None:
    info = TargetInfo("g", "ordinal", LABELS)
    head = "case," + ",".join(f"p_{n}" for n in NAMES) + ",answer"
    Path("a.csv").write_text(f"{head}\na,.4,.15,.05,.4,mild\nb,.4,.15,.05,.4,none\n")
    found = HANDLING.foreign(Path("a.csv"), [Case("a", {}), Case("b", {})], info)
    assert [found[c].kind for c in "ab"] == ["ordinal", "ordinal"]
    assert [NAMES[found[c].called] for c in "ab"] == ["mild", "none"]
    assert dataclasses.replace(found["a"], decision=None).called == 0


def test_how_near_an_answer_is_counts_grades_and_legends_name_the_cut() -> None:
    near, said = HANDLING.rate(SPLIT, "none", None)
    assert near == pytest.approx(-(0.15 + 2 * 0.05 + 3 * 0.4)) and said == "none: 1.45 grades off on average"
    rows = HANDLING.judge.rows([SPLIT, SPLIT], ["none", "mild"])
    assert HANDLING.each(rows)[0] == pytest.approx(near)
    card = Scorecard(
        answer="Scores", target="g", split="test", n_cases=2, n_patients=2, data_hash="",
        patients_known=True, bundle="",
        metrics={"kappa": Interval(0.5, 0.4, 0.6, 2), "auc": Interval(0.7, 0.6, 0.8, 2),
                 "cut_auc/mild": Interval(0.9, 0.8, 1.0, 2)},
        labels=NAMES,
        curves={"roc": {f"at least {n}": {"x": [0, 1], "y": [0, 1]} for n in NAMES[1:]}},
    )  # fmt: skip
    (roc,) = HANDLING.figures(card)
    assert (
        "0.900" in roc.svg and "0.700" not in roc.svg
    )  # a cut without an AUC of its own has none, not the mean
