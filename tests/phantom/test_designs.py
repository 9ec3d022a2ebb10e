"""Arms, heterogeneity, events and late entry follow the stated formulas: by hand, and against frequencies."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from vesalius import cohorts
from vesalius import phantom as make
from vesalius.core.case import Event
from vesalius.core.errors import DataError, UnknownName
from vesalius.phantom.abdomen.design import Design
from vesalius.phantom.abdomen.lesions import Lesion
from vesalius.phantom.abdomen.person import Person, draw_person
from vesalius.phantom.abdomen.survival import draw_outcome
from vesalius.phantom.ct import patient, twin

ALL = Design("confounded", 3, "planted", "all", "late")
MAN = Person(70.0, "M", 25.0, 1.0)  # and one malignant lesion of radius 30 mm: stage 2, burden 4.737053
TINY = (8, 12, 12)


def lesion(radius):
    nothing = np.zeros(1)
    return Lesion(
        "malignant", (0.0, 0.0, 0.0), radius, 0.0, nothing, np.zeros((1, 3)), nothing, 0.0, 0.0, 0.0
    )


def drawn(design, n=1, person=MAN, seed=0):
    rng = np.random.default_rng(seed)
    return [draw_outcome(rng, person, lesions=(lesion(30.0),), design=design) for _ in range(n)]


@pytest.fixture(scope="module")
def everything():
    return drawn(ALL, 3000)


def test_three_arms_by_hand():
    """Of the man: decade 1, stage − 1 = 1, burden − 2 = 2.737053."""
    (one,) = drawn(ALL)
    chemo = -0.50 + 0.45 - 0.30 * 2.737053
    assert one.effects == pytest.approx(
        {"control": 0, "chemo": chemo, "surgery": -0.45 + 0.30 + 0.40}, abs=1e-5
    )
    odds = {"chemo": np.exp(-0.3 + 0.7 - 0.6), "surgery": np.exp(-0.2 - 0.5 - 0.5)}
    total = 1 + sum(odds.values())
    wanted = {"control": 1 / total, **{arm: o / total for arm, o in odds.items()}}
    assert one.propensities == pytest.approx(wanted, abs=1e-9)
    assert drawn(replace(ALL, assignment="randomised"))[0].propensities == pytest.approx(
        dict.fromkeys(wanted, 1 / 3)
    )


def test_heterogeneity_by_hand():
    effects = {
        one: drawn(Design(arms=3, heterogeneity=one))[0].effects for one in ("strong", "none", "no-effect")
    }
    chemo, surgery = -0.50 + 1.5 * (0.45 - 0.30 * 2.737053), -0.45 + 1.5 * (0.30 + 0.40)
    assert effects["strong"] == pytest.approx({"control": 0, "chemo": chemo, "surgery": surgery}, abs=1e-5)
    assert effects["none"] == {"control": 0, "chemo": -0.30, "surgery": -0.50}
    assert effects["no-effect"] == {"control": 0, "chemo": 0, "surgery": 0}
    young = draw_outcome(
        np.random.default_rng(0),
        Person(40.0, "F", 25.0, 1.0),
        lesions=(),
        design=Design(heterogeneity="none"),
    )
    assert young.effects == {"control": 0, "treated": -0.30}
    alike = drawn(Design(heterogeneity="no-effect"), 5)
    assert all(o.potential_days["control"] == o.potential_days["treated"] for o in alike)


def test_causes_and_progression_by_hand():
    (one,) = drawn(ALL)
    eta, other = 0.35 + 0.20 + 0.80 + 0.25 * 4.737053, -1.6 + 0.90 + 0.30
    assert one.eta_other == pytest.approx(other, abs=1e-9)
    assert one.log_hazards["control"] == pytest.approx(np.log(np.exp(eta) + np.exp(other)), abs=1e-5)
    worse = 0.2 + 0.10 + 0.90 + 0.30 * 4.737053
    assert one.progression.log_hazards["control"] == pytest.approx(worse, abs=1e-5)
    # (365/2400)^1.3 = 0.086446, as in test_survival
    alive = np.exp(-0.086446 * (np.exp(eta) + np.exp(other)))
    year = int(np.flatnonzero(one.times_days == 365)[0])
    assert one.curves["control"][year] == pytest.approx(alive, abs=2e-4)
    assert one.progression.curves["control"][year] == pytest.approx(
        alive * np.exp(-0.086446 * np.exp(worse)), abs=2e-4
    )
    of_other = np.exp(other) / (np.exp(eta) + np.exp(other)) * (1 - alive)
    assert one.incidence["control"]["other"][year] == pytest.approx(of_other, abs=2e-4)
    for arm, curve in one.curves.items():
        assert sum(one.incidence[arm].values()) + curve == pytest.approx(np.ones(len(curve)))
        assert (one.progression.curves[arm] <= curve).all(), "it ends with death, too"


def test_arms_are_given_by_their_chances(everything):
    chances = everything[0].propensities
    for arm, chance in chances.items():
        assert np.mean([o.arm == arm for o in everything]) == pytest.approx(chance, abs=0.03)


def test_causes_are_as_frequent_as_stated():
    found = drawn(Design(events="causes"), 3000)
    died = [o for o in found if o.event]
    assert {o.cause for o in died} == {"disease", "other"} and all(
        o.cause is None for o in found if not o.event
    )
    share = np.exp(found[0].eta_other) / np.exp(found[0].log_hazards["control"])
    controls = [o for o in died if o.arm == "control"]
    assert np.mean([o.cause == "other" for o in controls]) == pytest.approx(share, abs=0.02)


def test_who_progressed_or_died_before_entry_is_never_seen(everything):
    entry = np.array([o.entry_days for o in everything])
    assert (
        np.mean(entry > 0) == pytest.approx(0.5, abs=0.03)
        and entry[entry > 0].min() >= 30
        and entry.max() <= 730
    )
    for o in everything:
        assert o.time_days >= o.entry_days + 1 and o.progression.time_days >= o.entry_days + 1
        assert o.progression.time_days <= o.time_days
        assert o.event <= o.progression.event, "whoever died is not without progression any more"


@pytest.mark.parametrize("of", ["death", "progression"])
def test_curves_are_found_again_where_late_entry_is_minded_and_missed_where_it_is_not(everything, of):
    seen = [o for o in everything if o.arm == "control"]
    what = [o if of == "death" else o.progression for o in seen]
    time, event = np.array([w.time_days for w in what]), np.array([w.event for w in what])
    entry = np.array([o.entry_days for o in seen])
    curve = what[0].curves["control"]
    for day in (146.0, 365.0):
        true = curve[int(np.flatnonzero(seen[0].times_days == day)[0])]
        assert product_limit(time, event, entry, day) == pytest.approx(true, abs=0.045)
        assert product_limit(time, event, 0 * entry, day) > true + 0.1, "to be immortal until entry flatters"


def product_limit(time, event, entry, day):
    """Kaplan and Meier's product over deaths up to a day, of those who had entered and were still there."""
    left = 1.0
    for t in np.unique(time[event & (time <= day)]):
        left *= 1 - np.sum(event & (time == t)) / np.sum((entry < t) & (time >= t))
    return left


def test_no_design_changes_what_is_drawn_of_the_usual_one():
    for index in range(4):
        one = patient(index, 3, size=TINY)
        other = patient(index, 3, size=TINY, events="all", clinic="bare")
        assert np.array_equal(one.image, other.image) and one.person == other.person
        assert one.outcome.curves["control"][10] > other.outcome.curves["control"][10], (
            "other causes come on top"
        )
        assert one.outcome.potential_days["control"] >= other.outcome.potential_days["control"]
        assert one.outcome.treated == other.outcome.treated
        alone = patient(index, 3, size=TINY, events="progression", entry="late")
        if not alone.outcome.entry_days:
            assert alone.outcome.time_days == one.outcome.time_days


def test_tables_are_of_the_same_patients_as_scans():
    options = {"arms": 3, "events": "all", "entry": "late", "clinic": "bare", "assignment": "confounded"}
    for draw in (patient, lambda *a, **k: twin(*a, without="malignant", **k)):
        seen, told = (draw(2, 3, size=TINY, tables=tables, **options) for tables in (False, True))
        assert not hasattr(told, "image") and told.truth()["outcome"] == seen.truth()["outcome"]
        assert (told.id, told.person, told.covariates) == (seen.id, seen.person, seen.covariates)
        assert told.row({}) == seen.row({}) and told.as_case().targets["dfs"] == seen.as_case().targets["dfs"]
        assert [one["nominal_ml"] for one in told.truth()["lesions"]] == [
            one["nominal_ml"] for one in seen.truth()["lesions"]
        ]


def test_a_table_says_what_the_truth_says_and_the_bare_clinic_withholds_what_tells_all(tmp_path):
    options = {
        "tables": True,
        "clinic": "bare",
        "arms": 3,
        "events": "all",
        "entry": "late",
        "assignment": "confounded",
    }
    root = make(tmp_path / "t", cases=30, seed=4, options=options)
    assert sorted(p.name for p in root.iterdir()) == ["README.md", "cohort.csv", "truth.json"]
    with (root / "cohort.csv").open() as file:
        rows = list(csv.DictReader(file))
    known = json.loads((root / "truth.json").read_text())
    assert known["design"] == {
        "assignment": "confounded", "arms": 3, "heterogeneity": "planted", "events": "all", "entry": "late",
    }  # fmt: skip
    assert not {"bmi", "tumour_stage", "marker", "treatment", "report"} & set(rows[0])
    for row, case in zip(rows, known["cases"], strict=True):
        outcome = case["outcome"]
        assert row["arm"] == outcome["arm"] and row["event"] == (outcome["cause"] or "alive")
        assert float(row["entry_days"]) == outcome["entry_days"]
        assert float(row["dfs_days"]) == outcome["dfs"]["time_days"]
        assert set(outcome["survival"]) == set(outcome["theta"]) == {"control", "chemo", "surgery"}
    chemo = [c["outcome"]["theta"]["chemo"] for c in known["cases"]]
    gain = [
        c["outcome"]["survival"]["chemo"][15] - c["outcome"]["survival"]["control"][15]
        for c in known["cases"]
    ]
    told = (
        f"| chemo | {np.mean(chemo):.3f} ({np.std(chemo):.3f}) | {np.mean(gain):.3f} ({np.std(gain):.3f}) |"
    )
    assert told in (root / "README.md").read_text(), "the grid's fifteenth step of 73 days is three years"


def test_a_table_of_the_usual_design_is_read_as_cases_without_an_image(tmp_path):
    root = make(tmp_path / "t", cases=12, seed=4, options={"tables": True, "clinic": "bare"})
    columns = {"image": "", "covariate": "age,sex,arm"}
    cohort = cohorts.read(root / "cohort.csv", target="survival", columns=columns)
    people = [patient(k, 4, tables=True, clinic="bare") for k in range(12)]
    assert [case.targets["survival"] for case in cohort.cases] == [p.events["survival"] for p in people]
    assert [case.covariates["arm"] for case in cohort.cases] == [p.outcome.arm for p in people]
    assert all(not case.images and set(case.covariates) == {"age", "sex", "arm"} for case in cohort.cases)


def test_a_case_holds_both_events_with_cause_and_entry():
    one = patient(5, 3, tables=True, events="all", entry="late")
    case, o = one.as_case(), one.outcome
    assert case.targets["survival"] == Event(o.time_days, o.event, o.cause, o.entry_days)
    assert case.targets["dfs"] == Event(o.progression.time_days, o.progression.event, None, o.entry_days)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"arms": 4}, DataError),
        ({"heterogeneity": "some"}, UnknownName),
        ({"events": "relapse"}, UnknownName),
        ({"entry": "early"}, UnknownName),
        ({"clinic": "rich"}, UnknownName),
    ],
)
def test_what_does_not_exist_is_refused(tmp_path, options, error):
    with pytest.raises(error, match=str(next(iter(options.values())))):
        make(tmp_path / "x", cases=1, options=options)
    assert not (tmp_path / "x").exists()


def test_a_table_has_no_files_in_another_format(tmp_path):
    with pytest.raises(DataError, match="table without pixels"):
        make(tmp_path / "x", cases=1, format="dicom", options={"tables": True})
    assert not (tmp_path / "x").exists()


def test_the_law_of_a_young_woman_without_a_finding_differs():
    """The facts come from the person: nothing of the man is left in another's outcome."""
    woman = draw_person(np.random.default_rng(1))
    one = draw_outcome(np.random.default_rng(0), woman, lesions=(), design=ALL)
    decade = (woman.age_years - 60) / 10
    assert one.stage == 0 and one.burden == 0
    assert one.effects["surgery"] == pytest.approx(-0.45 + 0.30 * decade - 0.40)
    assert one.eta_other == pytest.approx(-1.6 + 0.90 * decade + 0.30 * (woman.sex == "M"))
