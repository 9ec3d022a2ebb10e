"""Anomaly: what is learned from and what never, the rate of false alarms, the answer, and a fit from end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.core import tail
from vesalius.core.answers.map import Map
from vesalius.core.answers.scores import Scores
from vesalius.core.bundle import State
from vesalius.core.case import Box, Case
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Image
from vesalius.infer import guard
from vesalius.prepare.batch import Example
from vesalius.tasks import _abnormal, _normals, contract

TASK: Any = contract.get("anomaly")
STATE = State({"column": "finding", "normal": "clear", "lesions": "drawn", "cases": 9, "labels": []})
IMAGE = Image(np.zeros((1, 1, 4, 4), dtype=np.float32))


def cases(*labels: Any, column: str = "finding") -> list[Case]:
    return [
        Case(f"c{k}", {"image": IMAGE}, targets={} if label is None else {column: label})
        for k, label in enumerate(labels)
    ]


def column(of: list[Case], *, normal: str = "", name: str = "") -> tuple[str, int]:
    return _normals.column_of(_normals.summary(of), column=name, normal=normal)


def test_the_column_follows_from_the_label() -> None:
    some = cases("clear", "tumour", "clear", None, "clear")
    assert column(some, normal="clear") == ("finding", 3)
    assert column(cases(None, None, None)) == ("", 3)


def test_classes_without_a_word_which_is_normal_are_refused() -> None:
    with pytest.raises(DataError, match="must not be learned from") as error:
        column(cases("clear", "tumour", "clear", "tumour"))
    assert "task.options.normal" in str(error.value.hint)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([None, "tumour", None, None], id="only the abnormal ones are labelled"),
        pytest.param([("mass", "cyst"), (), ("mass", "cyst"), ()], id="findings"),
        pytest.param([(), (Box((0, 1, 1), (1, 3, 3), label="x"),), (), ()], id="boxes"),
        pytest.param([f"kind {k % 30}" for k in range(90)], id="more classes than are listed"),
    ],
)
def test_whatever_tells_cases_apart_is_not_learned_from_without_a_word(said: list[Any]) -> None:
    with pytest.raises(DataError, match="must not be learned from"):
        column(cases(*said))
    assert column(cases("clear", "clear", "clear")) == ("", 3), "all of one label"
    assert column(cases(*(f"patient {k}" for k in range(9)))) == ("", 9), "a name of each"
    with pytest.raises(DataError, match="no column"):
        column(cases(("clear",), ("clear", "mass")), normal="clear")


def test_a_label_that_nothing_has_or_two_columns_have_is_refused() -> None:
    with pytest.raises(DataError, match="no column"):
        column(cases("clear", "tumour", "clear"), normal="healthy")
    both = [Case("a", {}, targets={"one": "clear", "two": "clear"}) for _ in range(3)]
    with pytest.raises(DataError, match="more than one column"):
        column(both, normal="clear")
    assert column(both, normal="clear", name="two") == ("two", 3)


def test_too_few_normal_cases_are_refused() -> None:
    with pytest.raises(DataError, match="too few normal cases"):
        _normals.assert_enough(3, 4)


def test_abnormal_and_unknown_cases_are_never_drawn() -> None:
    marks: list[dict[str, Any]] = [{"normal": np.array([x], np.float32)} for x in (1, 0, 1)]
    examples = [Example(f"c{k}", {}, t) for k, t in enumerate([*marks, {}])]
    plan: Any = type("P", (), {})()
    plan.task = type("T", (), {"options": {"normal": "clear"}})()
    plan.train = type("R", (), {"batch": 4})()
    assert TASK.normals(examples, plan) == (0, 2)
    import torch

    drawn = TASK.sampler(examples, plan)(0, torch.Generator().manual_seed(0))
    assert len(drawn) == 4 and set(drawn) == {0, 2}


def test_the_rate_is_fitted_on_normal_cases_alone() -> None:
    raw = [np.full((1, 2, 1, 1), float(k)) for k in range(1, 31)]
    truths = ["normal" if k % 3 else "abnormal" for k in range(1, 31)]
    plan = type("P", (), {"task": type("T", (), {"options": {"normal": "clear", "rate": 0.1}})()})()
    found = TASK.calibrate(raw, truths, state=STATE, plan=plan)
    assert found == {"scores": [float(k) for k in range(1, 31) if k % 3], "rate": 0.1}


def test_an_answer_is_called_exactly_above_the_limit_and_says_so() -> None:
    scores = [float(k) for k in range(1, 40)]
    calibration = {"scores": scores, "rate": 0.05}
    limit = tail.limit(np.array(scores), 0.05)
    for score, called in ((limit.at, "normal"), (limit.at + 0.01, "abnormal"), (500.0, "abnormal")):
        raw = np.full((1, 3, 2, 2), score)
        raw[:, 1:] = np.arange(8).reshape(1, 2, 2, 2)
        answer = TASK.decode(raw, STATE, calibration, Image(np.zeros((1, 2, 8, 8), np.float32)))
        assert answer.called_names == (called,) and answer.uncalibrated == ("normal", "abnormal")
        assert guard.raised(answer.outside) == (called == "abnormal")  # as by any bundle's alarm
        part = answer.parts["anomaly map"]
        assert isinstance(part, Map) and part.image.shape == (2, 8, 8) and part.unit == "limit"
        assert part.image.array.max() == pytest.approx(7 / limit.at)
        assert part.figures["p-value"] == pytest.approx(tail.p_value(np.array(scores), score))
        assert part.facts["called"].startswith("called abnormal" if called == "abnormal" else "not called")


def test_too_few_normal_cases_for_the_rate_are_said() -> None:
    raw = np.full((1, 2, 1, 1), 3.0)
    answer = TASK.decode(raw, STATE, {"scores": [1.0, 2.0, 3.0], "rate": 0.05}, IMAGE)
    assert (
        "3 normal cases can promise no less, 0.05 was asked for"
        in answer.parts["anomaly map"].facts["called"]
    )
    assert answer.called_names == ("normal",)


def test_lesions_are_for_figures_and_unknown_ones_are_not_counted() -> None:
    clear, tumour, unknown = cases("clear", "tumour", None)
    assert TASK.regions(clear, STATE) == {"anomaly map": None}
    assert TASK.regions(tumour, STATE) == {} and TASK.regions(unknown, STATE) == {}
    assert [TASK.truth(c, STATE) for c in (clear, tumour, unknown)] == ["normal", "abnormal", None]


def test_plain_ways_stand_beside_and_hold_no_single_case() -> None:
    rng = np.random.default_rng(0)
    some = [
        Case(
            f"c{k}",
            {"image": Image(rng.normal(10, 1, (1, 1, 4, 4)).astype(np.float32))},
            targets={"finding": "clear"},
        )
        for k in range(6)
    ]
    kept = _abnormal.usual(some, STATE)
    means = [c.image.array.mean() for c in some if isinstance(c.image, Image)]
    assert kept["brightness"][0] == pytest.approx(np.mean(means), abs=1e-5)
    assert _abnormal.usual(some[:4], STATE) == {}
    bright = Image(np.full((1, 1, 4, 4), 20, np.float32))
    figures = _abnormal.plain(bright, State(STATE.values, kept))
    assert figures["brightness alone"] == pytest.approx((20 - np.mean(means)) / np.std(means), rel=1e-4)
    answer = TASK.decode(np.ones((1, 2, 1, 1)), State(STATE.values, kept), {}, bright)
    assert set(TASK.rivals(answer, "normal", STATE)) == {"brightness alone", "distance to the mean image"}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with a bright lesion or none."""
    folder = tmp_path_factory.mktemp("anomaly") / "data"
    return (
        vs.phantom(
            folder, kind="blob", cases=36, seed=1, format="png", options={"size": 48, "contrast": 90.0}
        )
        / "cohort.csv"
    )


SETTINGS = {
    "task.options.normal": "negative",
    "task.options.lesions": "lesion",
    "train.recipe": "patchcore",
    "net.scale": 0.25,
}


@pytest.fixture(scope="module")
def fitted(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("anomaly") / "run"
    return vs.fit(table, out, task="anomaly", init="none", settings=SETTINGS, time_limit="60s")


def test_a_fit_learns_from_normal_cases_alone_and_has_all_figures(fitted: Any) -> None:
    card = fitted.scorecard
    assert card.positive == "abnormal" and card.metrics["auc"].value is not None
    assert set(card.places["figures"]) == {"auroc", "ap", "pro"} and card.places["regions"] > 0
    assert {"brightness alone", "distance to the mean image"} <= {arm["name"] for arm in card.rivals["arms"]}
    calibration = fitted.bundle.stages[-1].calibration
    assert calibration["scores"] == sorted(calibration["scores"]) and calibration["rate"] == 0.05
    assert fitted.plan.train.steps == 1


def test_it_answers_with_a_map_on_the_images_grid(fitted: Any, table: Path) -> None:
    case = vs.read(table).cases[0]
    answer = vs.predict(fitted.bundle, case)
    assert isinstance(answer, Scores)
    part = answer.parts["anomaly map"]
    assert isinstance(part, Map) and part.image.shape == (1, 48, 48) and (part.image.array >= 0).all()


def test_a_recipe_that_does_not_learn_what_is_normal_is_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="does not learn what is normal"):
        vs.fit(
            table,
            tmp_path / "run",
            task="anomaly",
            settings={**SETTINGS, "train.recipe": "supervised"},
            dry_run=True,
        )
    with pytest.raises(PlanError, match="asks for something else"):
        vs.fit(
            table,
            tmp_path / "run",
            task="classify",
            target="class",
            settings={"train.recipe": "patchcore"},
            dry_run=True,
        )
    assert not (tmp_path / "run").exists()


def test_random_features_are_refused_unless_asked_for(table: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no weights to begin from"):
        vs.fit(table, tmp_path / "run", task="anomaly", settings=SETTINGS, dry_run=True)
