"""Figures by group against hand-computed values; the test of gaps against what is planted; nothing claims fairness."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.groups import known_columns
from vesalius.core.image import Image
from vesalius.core.scorecard import as_json, load_scorecard, nameless, save_scorecard
from vesalius.core.subgroups import NOT_KNOWN, Subgroups
from vesalius.evaluate.fairness import assert_columns, subgroups, with_subgroups
from vesalius.evaluate.gaps import Shuffled, corrected, directions
from vesalius.evaluate.report import Report, render
from vesalius.evaluate.scorecard import scorecard
from vesalius.evaluate.subgroup_words import sentence
from vesalius.metrics import Rows, mask, scores, subset, value

BLANK = Image(np.zeros((1, 1, 2, 2), np.uint8))


def binormal(
    n: int, apart: dict[str, float], *, seed: int = 0, positive: dict[str, float] | None = None
) -> tuple[Rows, list[str]]:
    """Scores of two classes whose distance is `apart` by group, and each case's group."""
    rng = np.random.default_rng(seed)
    names = list(apart)
    who = [names[k] for k in rng.integers(len(names), size=n)]
    y = (rng.random(n) < [(positive or {}).get(w, 0.5) for w in who]).astype(np.int64)
    z = rng.normal(0, 1, n) + y * [apart[w] for w in who]
    p = 1 / (1 + np.exp(-(z - 1)))
    ids = [f"c{k}" for k in range(n)]
    return scores.from_arrays(np.stack([1 - p, p], 1), y, labels=["no", "yes"], case_ids=ids), who


def grouped(rows: Rows, answer: str, who: list[str], **options: Any) -> Subgroups:
    patients = options.pop("patients", [f"p{k}" for k in range(len(who))])
    labels = {("sex",): [(w,) for w in who]}
    return subgroups(rows, answer, labels, patients=patients, **{"resamples": 50, "shuffles": 99, **options})[
        0
    ]


def test_a_groups_figures_are_those_of_its_cases_alone() -> None:
    rows, who = binormal(120, {"F": 1.0, "M": 2.0})
    found = grouped(rows, "Scores", who)
    for sex in "FM":
        at = np.array([k for k, w in enumerate(who) if w == sex])
        alone = scores.from_arrays(rows["p"][at], rows["y"][at], labels=["no", "yes"])
        expected = scores.summary(alone, np.arange(len(at)))
        assert {n: i.value for n, i in found[sex].metrics.items()} == pytest.approx(expected)
        assert found[sex].n_cases == found[sex].n_patients == len(at)
        assert found[sex].positives["yes"] == rows["y"][at].sum()
    auc = found["F"].metrics["auc"]
    assert auc.low is not None and auc.high is not None and auc.low < auc.value < auc.high  # type: ignore[operator]


def test_masks_and_numbers_by_hand() -> None:
    made = [{"dice/liver": d, "hd95_mm/liver": 5 - d} for d in [0.5] * 12 + [0.9] * 12]
    for k, one in enumerate(made):
        one |= {"both_empty/liver": 0.0, "hd95_missing/liver": 0.0, "volume_error/liver": 0.1 + k * 0.01}
    dice = grouped(mask.table(made, [str(k) for k in range(24)]), "Mask", ["F"] * 12 + ["M"] * 12)
    assert dice["F"].metrics["dice/liver"].value == pytest.approx(0.5)
    gap = {g.metric: g for g in dice.gaps}
    assert set(gap) == {"dice", "hd95_mm"}
    assert (gap["dice"].worst, gap["dice"].best, gap["dice"].verdict) == ("F", "M", "found")
    assert gap["dice"].gap.value == pytest.approx(0.4)
    assert gap["hd95_mm"].worst == "F" and gap["hd95_mm"].gap.value == pytest.approx(
        0.4
    )  # lower is better there

    y = np.linspace(0, 10, 40)
    rows = value.from_arrays(y + np.where(np.arange(40) < 20, -2.0, 0.5), y)
    found = grouped(rows, "Value", ["F"] * 20 + ["M"] * 20)
    gap = {g.metric: g for g in found.gaps}
    assert gap["mae"].gap.value == pytest.approx(1.5) and gap["mae"].worst == "F"
    assert gap["bias"].gap.value == pytest.approx(2.5) and gap["bias"].worst == "F"  # -2 and 0.5


def test_several_labels_and_unknown_truths() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (60, 3))
    y[::5, 1] = -1
    rows = scores.from_arrays(rng.random((60, 3)), y, labels=["a", "b", "c"], kind="multilabel")
    found = grouped(rows, "Scores", ["F", "M"] * 30)
    assert found["F"].positives == {x: int((y[::2, k] == 1).sum()) for k, x in enumerate("abc")}
    assert found["F"].metrics["auc/b"].n == int((y[::2, 1] >= 0).sum())


def test_a_planted_gap_is_found_and_an_even_model_is_not_called_fair() -> None:
    rows, who = binormal(400, {"F": 0.5, "M": 2.5})
    gap = {g.metric: g for g in grouped(rows, "Scores", who).gaps}["auc"]
    assert (gap.verdict, gap.worst, gap.best) == ("found", "F", "M") and gap.p_corrected <= 0.05  # type: ignore[operator]
    even, who = binormal(60, {"F": 1.5, "M": 1.5}, seed=4)
    card, found = carded(even, who)
    gap = {g.metric: g for g in found.gaps}["auc"]
    assert gap.verdict == "undecided" and gap.detectable is not None and gap.detectable > 0.1
    page = render(Report("x", card))
    assert "undecided" in page and "would have been found 4 times of 5" in page
    assert not any("fair" in sentence(card, found, g) for g in found.gaps)


def test_none_found_is_said_only_with_the_bound_that_the_intervals_leave() -> None:
    rows, who = binormal(1500, {"F": 2.0, "M": 2.0}, seed=2)
    gap = {g.metric: g for g in grouped(rows, "Scores", who).gaps}["auc"]
    assert gap.verdict == "none found"
    assert gap.bound is not None and gap.gap.high is not None and gap.gap.high - 1e-9 <= gap.bound <= 0.1


def test_a_class_that_is_more_common_in_one_group_is_no_gap() -> None:
    """Some figures differ with the share of a class; what is tested is whether answers differ given the truth."""
    rows, who = binormal(600, {"F": 1.5, "M": 1.5}, positive={"F": 0.1, "M": 0.6}, seed=3)
    found = grouped(rows, "Scores", who, shuffles=199)
    precise = [found[sex].metrics["average_precision"].value or 0.0 for sex in "FM"]
    assert precise[1] - precise[0] > 0.2
    assert all(g.verdict != "found" for g in found.gaps)


def test_the_cases_of_a_patient_are_exchanged_together() -> None:
    """With ten copies of each case the test must be no surer: it counts patients."""
    rows, who = binormal(40, {"F": 1.0, "M": 2.2}, seed=2)
    alone = {g.metric: g.p for g in grouped(rows, "Scores", who, shuffles=999).gaps}
    at = np.repeat(np.arange(40), 10)
    many = subset(scores, rows, at).rows
    copied = grouped(many, "Scores", [who[k] for k in at], patients=[f"p{k}" for k in at], shuffles=999)
    assert {g.metric: g.p for g in copied.gaps}["auc"] == pytest.approx(alone["auc"], abs=0.08)


def test_holm_by_hand() -> None:
    p = [0.01, 0.04, 0.03]
    rows, who = binormal(60, {"F": 1.0, "M": 2.0})
    first = grouped(rows, "Scores", who).gaps[0]
    flat = Shuffled(("F", "M"), np.random.default_rng(0).normal(size=(100, 2)))
    found = corrected([replace(first, p=x) for x in p], [flat] * 3)
    assert [g.p_corrected for g in found] == pytest.approx([0.03, 0.06, 0.06])


def test_where_all_are_right_in_both_groups_nothing_is_proven() -> None:
    rows = scores.from_arrays(
        np.tile([[0.0, 1.0], [1.0, 0.0]], (20, 1)), np.tile([1, 0], 20), labels=["no", "yes"]
    )
    found = grouped(rows, "Scores", ["F", "F", "M", "M"] * 10)
    assert all(g.p is None and g.gap.value == 0 for g in found.gaps)
    assert {g.verdict for g in found.gaps} == {"undecided"} and {g.bound for g in found.gaps} == {None}


def carded(rows: Rows, who: list[str | None], **options: Any) -> tuple[Any, Subgroups]:
    cases = [
        Case(i, {"image": BLANK}, patient=f"Doe^{i}", covariates={} if w is None else {"sex": w})
        for i, w in zip(rows.case_ids, who, strict=True)
    ]
    tally = SimpleNamespace(cases=cases, rows=lambda: (rows, None))
    card = scorecard(
        rows, "Scores", split="test", data_hash="d", resamples=50, patients=[c.patient for c in cases]
    )
    card = with_subgroups(card, tally, options.pop("by", ("sex",)), **options)  # type: ignore[arg-type]
    return card, card.subgroups[0] if card.subgroups else Subgroups((), ())


def test_a_small_group_is_withheld_and_cases_without_the_column_are_a_group(tmp_path: Any) -> None:
    rows, who = binormal(80, {"F": 1.0, "M": 2.0})
    told: list[str | None] = [*who[:76], "X", "X", None, None]
    card, found = carded(rows, told)
    assert found["X"].withheld == "fewer than 10 patients" == found[NOT_KNOWN].withheld
    assert found["X"].n_cases is None and not found["X"].metrics and not found["X"].positives
    counts = [g.n_cases for g in found.groups if g.n_cases is not None]
    assert sum(counts) == 70  # ten patients are out of sight: X, not known, and six drawn at random
    save_scorecard(card, tmp_path / "scorecard.json")
    assert load_scorecard(tmp_path / "scorecard.json").subgroups == card.subgroups
    assert "Doe" not in as_json(nameless(card))


def test_a_column_of_names_is_refused_and_by_default_left_out() -> None:
    rows, _ = binormal(80, {"F": 1.0, "M": 2.0})
    names: list[str | None] = [f"Doe^Jane{k}" for k in range(80)]
    cases = [
        Case(i, {"image": BLANK}, covariates={"sex": n}) for i, n in zip(rows.case_ids, names, strict=True)
    ]
    with pytest.raises(DataError, match="none to group by"):
        assert_columns(("sex",), cases)
    with pytest.raises(DataError, match="no case has a column 'site'"):
        assert_columns(("site",), cases)
    card, _ = carded(rows, names, by=None)
    assert card.subgroups == ()
    few, _ = carded(*few_names())
    assert "Jane" not in as_json(nameless(few)) and few.subgroups[0].more_withheld == 20


def few_names() -> tuple[Rows, list[str | None]]:
    rows, _ = binormal(20, {"F": 1.0, "M": 2.0})
    return rows, [f"Jane{k}" for k in range(20)]


def test_without_groups_a_card_is_as_it_was() -> None:
    rows, who = binormal(40, {"F": 1.0, "M": 2.0})
    plain = scorecard(rows, "Scores", split="test", data_hash="d", resamples=50)
    card, _ = carded(rows, list(who), by=())
    assert (
        replace(card, patients={}, patients_known=False, n_patients=40, banners=plain.banners).metrics
        == plain.metrics
    )
    assert card.subgroups == ()


def test_columns_of_people_are_found_and_others_are_not() -> None:
    case = Case("a", {"image": BLANK}, covariates={"sex": "F", "age_years": 41.0, "dose": 3.0}, group="north")
    other = replace(case, covariates={"sex": "M", "age_years": 51.0, "dose": 4.0}, group="north")
    assert known_columns([case, other]) == ["sex", "age_years"]  # one site only
    assert known_columns([case, replace(other, group="south")]) == ["sex", "age_years", "group"]


def test_intersections_are_groups_of_both(tmp_path: Any) -> None:
    rows, who = binormal(120, {"F": 1.0, "M": 2.0})
    cases = [
        Case(i, {"image": BLANK}, patient=i, covariates={"sex": w, "age": float(20 + 30 * (k % 2))})
        for k, (i, w) in enumerate(zip(rows.case_ids, who, strict=True))
    ]
    tally = SimpleNamespace(cases=cases, rows=lambda: (rows, None))
    card = scorecard(
        rows, "Scores", split="test", data_hash="d", resamples=20, patients=[c.patient for c in cases]
    )
    (found,) = with_subgroups(card, tally, ("sex,age",)).subgroups  # type: ignore[arg-type]
    assert found.by == ("sex", "age")
    assert [g.name for g in found.groups] == [
        f"{s} × {a}" for s in "FM" for a in ("18 to below 40", "40 to below 65")
    ]
    assert sum(g.n_cases or 0 for g in found.groups) == 120


def test_directions_come_from_the_metric_files() -> None:
    assert directions("Value", ["mae", "bias", "r2"]) == {"mae": "lower", "bias": "zero"}
    assert directions("Scores", ["auc", "recall", "ece", "brier"]) == {
        "auc": "higher",
        "recall": "higher",
        "ece": "lower",
    }


def test_metrics_that_prepare_something_and_cannot_join_are_asked_about_the_whole_table() -> None:
    """A metric file of another package: each figure of a subset is that of its cases, in the whole table."""

    def summary(rows: Rows, index: Any) -> dict[str, float]:
        return {"miss": float(rows.prepared["error"][index].mean())}

    judge: Any = SimpleNamespace(summary=summary, counts=lambda rows: {}, excluded=lambda rows: {})
    error = np.arange(10.0)
    rows = Rows(tuple(map(str, range(10))), {"x": error}, {}, {"error": error})
    part = subset(judge, rows, np.array([7, 2, 4]))
    assert part.rows.case_ids == ("7", "2", "4")
    assert part.summary(part.rows, np.array([0, 0, 2])) == {"miss": pytest.approx((7 + 7 + 4) / 3)}


def test_a_gap_that_would_be_found_is_larger_where_the_metric_varies_more_when_it_is_worse() -> None:
    """By hand, with one test: T's 0.95 quantile, the spread, and a share's √(m (1 − m)) at half and all of the gap."""
    values = np.random.default_rng(0).normal(0.9, 0.03, (1000, 2))
    rows, who = binormal(60, {"F": 1.0, "M": 2.0})
    first = replace(grouped(rows, "Scores", who).gaps[0], p=0.5, apart=("F", "M"))
    of = Shuffled(("F", "M"), values, 0.9, (0.0, 1.0))
    (found,) = corrected([first], [of])
    difference = values[:, 0] - values[:, 1]
    critical = np.quantile(np.abs(difference - difference.mean()) / difference.std(), 0.95)

    def grown(m: float) -> float:
        return float(np.sqrt(m * (1 - m) / 0.09))

    able = found.detectable
    assert able is not None and able > (critical + 0.8416) * difference.std()
    right = difference.std() * (critical * grown(0.9 - able / 2) + 0.8416 * grown(0.9 - able))
    assert able == pytest.approx(right, rel=1e-3)
    (flat,) = corrected([first], [Shuffled(("F", "M"), values)])  # nothing is known of its range
    assert flat.detectable == pytest.approx((critical + 0.8416) * difference.std(), rel=1e-4)
