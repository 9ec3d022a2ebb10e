"""`calibrate`: what a copy of a bundle promises, on what it stands, and what must not be claimed."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius import formats
from vesalius.core.progress import Silent
from vesalius.core.promise import PROMISE, Promise
from vesalius.core.scorecard import load_scorecard
from vesalius.verbs.phantom import phantom

SITES = ("A", "B")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Path:
    """Twenty-four more slices in a table, of two sites."""
    root = tmp_path_factory.mktemp("others")
    made = phantom(root / "made", cases=24, seed=11, size=(16, 48, 48), format="png")
    rows = [
        [f"new-{k}", f"person-{k}", row["image"], row["class"], SITES[k % 2]]
        for k, row in enumerate(csv.DictReader((made / "cohort.csv").open()))
    ]
    with (made / "cases.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["case", "patient", "image", "class", "site"], *rows])
    return made / "cases.csv"


@pytest.fixture(scope="module")
def sure(pictures: Any, others: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures' bundle, calibrated to promise 80 %."""
    out = tmp_path_factory.mktemp("sure") / "calibrated"
    vs.calibrate(pictures.path, others, out, coverage=0.8, by="site", progress=False)
    return out


def test_the_copy_promises_and_the_threshold_is_what_the_answers_give(
    pictures: Any, others: Path, sure: Path
) -> None:
    record = vs.open(sure).stages[-1].calibration[PROMISE]  # type: ignore[union-attr]
    answers = vs.predict(pictures.bundle, vs.read(others), progress=False)
    truth = {row["case"]: row["class"] for row in csv.DictReader(others.open())}
    strange = sorted(
        1 - dict(zip([x.name for x in a.labels], a.p, strict=True))[truth[a.case_id]] for a in answers
    )
    assert record["pooled"]["at"][""] == pytest.approx(strange[20 - 1], abs=1e-6)  # ⌈25 · 0.8⌉ = 20
    assert record["pooled"]["n"] == {"": 24} and record["groups"] == {}
    assert record["few"] == {"A": 12, "B": 12}
    assert record["on"]["cases"] == 24 and record["on"]["patients"] == 24
    assert len(record["on"]["data_hash"]) == 64


def test_weights_are_the_same_and_the_old_scorecard_is_not_the_copys(pictures: Any, sure: Path) -> None:
    weights = [p.name for p in pictures.bundle.glob("weights-*")]
    assert weights
    for name in weights:
        assert (sure / "bundle" / name).read_bytes() == (pictures.bundle / name).read_bytes()
    assert not (sure / "bundle" / "scorecard.json").exists()
    assert "of the bundle before that" in (sure / "bundle" / "card.md").read_text()
    assert "PLANTED" not in (sure / "bundle" / "bundle.json").read_text()
    assert sorted(p.name for p in sure.iterdir() if not p.name.startswith(".")) == [
        "bundle",
        "trained_on.json",
    ]


def test_answers_carry_the_promise_in_columns_and_json(sure: Path, others: Path, tmp_path: Path) -> None:
    done = vs.predict(sure, others, tmp_path / "out", json=True, progress=False)
    at = vs.open(sure).stages[-1].calibration[PROMISE]["pooled"]["at"][""]  # type: ignore[union-attr]
    rows = {row["case"]: row for row in csv.DictReader((tmp_path / "out" / "answers.csv").open())}
    for answer in done:
        assert answer.promise is not None and answer.promise.labels is not None
        named = [x.name for x, p in zip(answer.labels, answer.p, strict=True) if 1 - p <= at]
        assert list(answer.promise.labels) == (named or [answer.labels[int(answer.p.argmax())].name])
        assert rows[answer.case_id]["promise_set"] == "|".join(answer.promise.labels)
        assert rows[answer.case_id]["promise"] == "0.8"
        assert any("thresholds are those of all cases" in text for text in answer.promise.remarks)
    again = formats.read_answer(next((tmp_path / "out").glob("*.json")))
    assert again.promise == done[again.case_id].promise


def test_cases_it_was_calibrated_on_are_not_evaluated_on(sure: Path, others: Path) -> None:
    with pytest.raises(vs.DataError, match="trained on every case"):
        vs.evaluate(sure, others, progress=False)


def test_cases_it_learned_from_are_refused(pictures: Any, tmp_path: Path) -> None:
    with pytest.raises(vs.DataError, match="learned from|trained on every case"):
        vs.calibrate(pictures.path, pictures.data, tmp_path / "a", split="train", progress=False)
    with pytest.raises(vs.DataError, match="very data"):
        (tmp_path / "alone").mkdir()
        for path in pictures.bundle.iterdir():
            (tmp_path / "alone" / path.name).write_bytes(path.read_bytes())
        vs.calibrate(tmp_path / "alone", pictures.data, tmp_path / "b", progress=False)
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


def test_temperature_is_fitted_anew_and_sets_follow_it(pictures: Any, others: Path, tmp_path: Path) -> None:
    made = vs.calibrate(
        pictures.path, others, tmp_path / "t", refit=["temperature"], coverage=0.8, progress=False
    )
    before = pictures.run.bundle.stages[-1].calibration["temperature"]  # type: ignore[union-attr]
    after = made.stages[-1].calibration
    assert after["temperature"] != before and after["n"] == 24
    answer = next(iter(vs.predict(made, vs.read(others), progress=False)))
    at = after[PROMISE]["pooled"]["at"][""]
    assert answer.promise is not None
    assert (
        answer.promise.labels
        == tuple(x.name for x, p in zip(answer.labels, answer.p, strict=True) if 1 - p <= at)
        or len(answer.promise.labels or ()) == 1
    )


def test_what_cannot_be_asked_is_one_line(pictures: Any, others: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    with pytest.raises(vs.PlanError, match="between 0 and 1"):
        vs.calibrate(pictures.path, others, out, coverage=1.2, progress=False)
    with pytest.raises(vs.UnknownName, match="way to promise"):
        vs.calibrate(pictures.path, others, out, way="absolute", progress=False)
    with pytest.raises(vs.UnknownName, match="refit"):
        vs.calibrate(pictures.path, others, out, refit=["magic"], progress=False)
    with pytest.raises(vs.PlanError, match="withheld"):
        vs.calibrate(pictures.path, others, out, withhold="now and then", progress=False)
    assert not out.exists()


def test_what_fails_after_the_answers_is_gone_on_with(pictures: Any, others: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    with pytest.raises(vs.DataError, match="no case has a column 'hospital'"):
        vs.calibrate(pictures.path, others, out, by="hospital", coverage=0.8, progress=False)
    assert not out.exists()
    with pytest.raises(vs.DataError, match="no threshold keeps the error at 0.1 % or less"):
        vs.calibrate(pictures.path, others, out, withhold=0.001, coverage=0.8, progress=False)
    kept = (out / "calibrating.partial.csv").read_text()
    assert len(kept.splitlines()) == 25
    made = vs.calibrate(pictures.path, others, out, by="site", coverage=0.8, resume=True, progress=False)
    assert made.stages[-1].calibration[PROMISE]["by"]["column"] == "site"
    assert not (out / "calibrating.partial.csv").exists()


def test_masks_have_an_outer_mask_that_holds_them(volumes: Any, tmp_path: Path, quick: None) -> None:
    data = phantom(tmp_path / "data", cases=14, seed=21, size=(12, 32, 32))
    out = tmp_path / "calibrated"
    made = vs.calibrate(volumes.path, data, out, target="mask", coverage=0.8, progress=False)
    record = made.stages[-1].calibration[PROMISE]
    assert set(record["pooled"]["at"]) <= {x["name"] for x in made.stages[-1].state.values["labels"]}
    fresh = phantom(tmp_path / "fresh", cases=2, seed=33, size=(12, 32, 32))
    cases = vs.read(fresh)
    done = vs.predict(out, cases, progress=False)
    plain = vs.predict(volumes.bundle, cases, progress=False)
    for answer, before in zip(done, plain, strict=True):
        outer = answer.parts["outer"]
        assert np.array_equal(answer.image.array, before.image.array)
        assert answer.promise is not None and answer.promise.part == "outer"
        assert outer.image.array.shape == (len(answer.labels), *answer.image.shape)
        for k, label in enumerate(answer.labels):
            inner = answer.image.array[0] == label.value
            assert (outer.image.array[k].astype(bool) | ~inner).all()
        assert list(answer.parts) == ["outer"]
    vs.predict(out, fresh, tmp_path / "out", json=True, progress=False)
    names = sorted(p.name for p in (tmp_path / "out").glob("*.nii.gz"))
    assert len(names) == 4 and sum(".outer." in name for name in names) == 2
    head = next(csv.reader((tmp_path / "out" / "answers.csv").open()))
    assert any(name.startswith("outer.") for name in head)


def test_fit_promises_only_where_it_is_asked_and_says_that_it_is_not_exact(
    pictures: Any, others: Path, tmp_path: Path
) -> None:
    assert PROMISE not in pictures.run.bundle.stages[-1].calibration
    settings = {
        "net.scale": 0.125, "train.threads": 1, "train.members": 2, "train.steps": 4, "train.batch": 4,
        "train.validations": 1, "data.size": [1, 32, 32],
    }  # fmt: skip
    asked = {**settings, "task.options.coverage": 0.8}
    run = vs.fit(others, tmp_path / "run", target="class", settings=asked, seed=3, progress=False)
    assert run.bundle is not None
    record = run.bundle.stages[-1].calibration[PROMISE]
    assert record["on"]["source"] == "out-of-fold answers of single members"
    first = vs.predict(run, vs.read(pictures.data), progress=False)[0]
    assert first.promise is not None
    assert any("the promise is not exact" in text for text in first.promise.remarks)
    plain = vs.fit(others, tmp_path / "plain", target="class", settings=settings, seed=3, progress=False)
    weights = [p.name for p in run.bundle.path.glob("weights-*")]
    assert len(weights) == 2 and plain.bundle is not None
    for name in weights:
        assert (plain.bundle.path / name).read_bytes() == (run.bundle.path / name).read_bytes()


def test_evaluate_measures_the_promise(sure: Path, tmp_path: Path) -> None:
    from vesalius.evaluate import trust

    made = phantom(tmp_path / "made", cases=16, seed=77, size=(16, 48, 48), format="png")
    rows = [
        [f"late-{k}", f"late-{k}", row["image"], row["class"], SITES[k % 2]]
        for k, row in enumerate(csv.DictReader((made / "cohort.csv").open()))
    ]
    with (made / "cases.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["case", "patient", "image", "class", "site"], *rows])
    card = vs.evaluate(sure, made / "cases.csv", tmp_path / "card", smallest_group=8, progress=False)
    done = vs.predict(sure, made / "cases.csv", tmp_path / "out", json=True, progress=False)
    truth = {row[0]: row[3] for row in rows}
    held = sum(truth[a.case_id] in (a.promise.labels or ()) for a in done if a.promise)
    whole = card.promise["overall"][""]
    assert whole["value"] == held / 16 and whole["n"] == 16
    assert card.promise["groups"].keys() == {"A", "B"} and not card.promise["groups"]["A"]["own"]
    assert sum(card.promise["sizes"]["counts"].values()) == 16
    html = (tmp_path / "card" / "report.html").read_text()
    assert "The promise: kept on these cases" in html and "Risk and coverage" in html
    assert any(line.startswith("covered of the promised 80.0 %, all:") for line in trust.lines(card))
    again = load_scorecard(tmp_path / "card" / "scorecard.json")
    assert again.promise == json.loads(json.dumps(card.promise)) and again.selective["metrics"].keys()


def test_what_cannot_be_fitted_anew_is_said_before_any_case_is_answered() -> None:
    from types import SimpleNamespace

    from vesalius.run.calibrating import assert_refits
    from vesalius.tasks import contract

    def with_task(name: str) -> Any:
        return SimpleNamespace(stages=[SimpleNamespace(task=contract.get(name), alarm=None)])

    assert_refits(with_task("classify"), {"raw"})
    with pytest.raises(vs.DataError, match="only answers about whole images are fitted anew"):
        assert_refits(with_task("segment"), {"raw"})
    with pytest.raises(vs.DataError, match="has no alarm to set anew"):
        assert_refits(with_task("segment"), {"strange"})


def test_predict_says_how_many_answers_are_withheld(pictures: Any, others: Path, tmp_path: Path) -> None:
    class Told(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    notes: list[str] = []
    vs.calibrate(pictures.path, others, tmp_path / "c", coverage=0.95, withhold="several", progress=False)
    vs.predict(tmp_path / "c", others, tmp_path / "out", progress=Told())
    held = sum(bool(row["withheld"]) for row in csv.DictReader((tmp_path / "out" / "answers.csv").open()))
    assert (
        held > 0
        and f"withheld, for a person to answer: {held} of 24 cases; see the column 'withheld'" in notes
    )


def test_answers_with_other_mirror_images_say_that_their_promise_is_not_exact(sure: Path) -> None:
    from vesalius.core.case import Case
    from vesalius.core.plan import override
    from vesalius.core.promise import limits_of
    from vesalius.verbs.predict import with_mirror

    def remarks(bundle: Any) -> tuple[str, ...]:
        return limits_of(bundle.stages[-1].calibration[PROMISE], Case("k", {})).remarks

    bundle: Any = vs.open(sure)
    stage = bundle.stages[-1]
    bare = replace(bundle, stages=(replace(stage, plan=override(stage.plan, {"infer.mirror": []})),))
    assert stage.plan.infer.mirror == ("x",) and remarks(with_mirror(bundle, ["x"])) == remarks(bundle)
    assert not any("not exact" in text for text in remarks(bundle))
    assert "other mirror images, so that the promise is not exact" in remarks(with_mirror(bare, ["x"]))[-1]


def test_a_broken_promise_is_said(sure: Path) -> None:
    from vesalius.answers.contract import Kept
    from vesalius.core.case import Case
    from vesalius.evaluate import kept

    bundle = vs.open(sure)
    fixed = bundle.stages[-1].calibration  # type: ignore[union-attr]
    promise = Promise(0.8, "so", labels=("a",), n=24)
    told = [kept.Outcome(Case(f"{k}", {}), promise, Kept({"": float(k < 20)}, 1.0)) for k in range(60)]
    section = kept.section(told, fixed, patients=[str(k) for k in range(60)])
    assert section["overall"][""]["below"] and kept.banners(section)[0].kind == "promise not kept"
    fine = [kept.Outcome(Case(f"{k}", {}), promise, Kept({"": float(k < 45)}, 1.0)) for k in range(60)]
    assert kept.banners(kept.section(fine, fixed, patients=[str(k) for k in range(60)])) == ()


def test_a_promise_of_few_patients_is_not_measured_by_group() -> None:
    from vesalius.answers.contract import Kept
    from vesalius.core.case import Case
    from vesalius.evaluate import kept

    fixed = {
        PROMISE: {
            "coverage": 0.8,
            "by": {"column": "site", "bounds": []},
            "pooled": {"n": {"": 24}, "at": {"": 0.5}},
            "groups": {},
            "on": {"cases": 24, "when": "2026-11-29", "source": "a cohort of its own"},
        }
    }
    promise = Promise(0.8, "so", labels=("a",), n=24)

    def section(**sizes: int) -> dict[str, Any]:
        sites = [site for site, n in sizes.items() for _ in range(n)]
        cases = [
            Case(f"{k}", {}, covariates={} if s == "unknown" else {"site": s}) for k, s in enumerate(sites)
        ]
        told = [kept.Outcome(case, promise, Kept({"": 0.0}, 1.0)) for case in cases]
        return kept.section(told, fixed, patients=[case.id for case in cases])

    both = section(A=30, B=12)
    assert both["groups"].keys() == {"A", "B"} and "groups_withheld" not in both
    small = section(A=30, B=12, Anne=3)  # B, too: all cases less A and B are Anne's three
    assert small["groups"].keys() == {"A"} and small["groups_withheld"] == 2
    assert "Anne" not in json.dumps(small) and "Anne" not in str(kept.banners(small))
    assert section(A=30, B=12, unknown=3)["groups"].keys() == {"A"}  # nor those whose site nobody knows
    assert section(A=30, B=6, C=5)["groups"].keys() == {"A"}


def test_isotonic_lines_and_an_operating_point_are_fitted_anew_where_settings_ask(
    pictures: Any, others: Path, tmp_path: Path
) -> None:
    labels = [x["name"] for x in pictures.run.bundle.stages[-1].state.values["labels"]]
    settings = {"task.options.calibration": "isotonic"}
    if len(labels) == 2:
        settings["task.options.threshold"] = "sensitivity:0.9"
    made = vs.calibrate(
        pictures.path, others, tmp_path / "i", settings=settings, coverage=0.8, progress=False
    )
    stage = made.stages[-1]
    assert stage.plan.task.options["calibration"] == "isotonic" and stage.calibration["isotonic"]
    assert stage.plan.reasons["task.options.calibration"] == "set by the user"
    if len(labels) == 2:
        (reached,) = stage.calibration["reached"].values()
        assert reached["sensitivity"]["value"] >= 0.9
    assert vs.selftest(made).passed, "the copy has a self-test of its own"
    with pytest.raises(vs.PlanError, match="only options of the task"):
        vs.calibrate(pictures.path, others, tmp_path / "j", settings={"net.scale": 2}, progress=False)
    with pytest.raises(vs.VesaliusError, match="magic"):
        vs.calibrate(
            pictures.path,
            others,
            tmp_path / "j",
            settings={"task.options.calibration": "magic"},
            progress=False,
        )
    assert not (tmp_path / "j").exists()


def test_an_interval_that_stands_on_a_doubt_is_as_wide_as_the_answer_is_doubted(
    tmp_path: Path, quick: None
) -> None:
    made = phantom(tmp_path / "made", cases=30, seed=5, size=(16, 48, 48), format="png")
    rng = np.random.default_rng(0)
    rows = [
        [f"c{k}", row["image"], f"{rng.normal(50, 10):.2f}", "train" if k < 14 else "test"]
        for k, row in enumerate(csv.DictReader((made / "cohort.csv").open()))
    ]
    for name, wanted in (("learn.csv", "train"), ("hold.csv", "test")):
        with (made / name).open("w", newline="") as file:
            csv.writer(file).writerows(
                [["case", "image", "volume_ml"], *[r[:3] for r in rows if r[3] == wanted]]
            )
    tiny = {"net.scale": 0.125, "train.steps": 3, "train.batch": 4, "data.size": [1, 32, 32]}
    run = vs.fit(
        made / "learn.csv", tmp_path / "run", target="volume_ml", folds=2, settings=tiny, progress=False
    )
    hold = made / "hold.csv"
    with pytest.raises(vs.PlanError, match="stands on how much an answer is doubted"):
        vs.calibrate(run, hold, tmp_path / "n", target="volume_ml", way="normalised", progress=False)
    with pytest.raises(vs.PlanError, match="does not stand on a doubt"):
        vs.calibrate(run, hold, tmp_path / "n", target="volume_ml", doubt="members", progress=False)
    copy = vs.calibrate(
        run,
        hold,
        tmp_path / "n",
        target="volume_ml",
        way="normalised",
        doubt="members",
        coverage=0.8,
        progress=False,
    )
    about = copy.stages[-1].calibration[PROMISE]["about"]
    held = [float(r[2]) for r in rows if r[3] == "test"]
    assert about == {"low": min(held), "high": max(held)}  # an interval beyond these is marked, as of any way
    cases = vs.read(hold, target="volume_ml")
    widths = {}
    for answer in vs.predict(copy, cases, progress=False):
        assert answer.doubt is not None and answer.doubt.way == "members" and answer.promise is not None
        low, high = answer.promise.interval  # type: ignore[misc]
        widths[answer.case_id] = (high - low) / answer.doubt.figures["sd"]
    at = copy.stages[-1].calibration[PROMISE]["pooled"]["at"][""]
    assert np.allclose(list(widths.values()), 2 * at) and len(widths) == 16
    with pytest.raises(vs.PlanError, match="stands on the doubt 'members'"):
        vs.predict(copy, cases, doubt="mirror", progress=False)
