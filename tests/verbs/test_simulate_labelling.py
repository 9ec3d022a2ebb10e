"""Simulated labelling as people ask for it: what is refused, what is left out and said, files, JSON, and going on."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import _outcome, app
from vesalius.core.errors import DataError, Interrupted, OutputError, PlanError, UnknownName
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.run import rounds
from vesalius.run.limits import planning
from vesalius.run.pool import Seen
from vesalius.run.rounds_curve import curve
from vesalius.verbs import simulate_labelling as verb

RUN = CliRunner()
HOW: Mapping[str, Any] = {
    "count": 2, "begin": 3, "rounds": 2, "seeds": (0,), "settings": {"train.steps": 5},
    "resamples": 40, "metric": "accuracy", "progress": False,
}  # fmt: skip


class Fit:
    """A stand-in for `fit`: a scorecard by chance, and answers as a net without features gives them."""

    def __init__(self) -> None:
        self.labelled: list[set[str]] = []
        self.planned: list[float | None] = []
        self.fails: dict[int, BaseException] = {}

    def __call__(self, cohort: Any, out: Path, *, seed: int, **how: Any) -> Any:
        if (error := self.fails.pop(len(self.labelled), None)) is not None:
            raise error
        tested = [c for c in cohort.cases if c.split == "test"]
        self.labelled.append({c.id for c in cohort.cases} - {c.id for c in tested})
        self.planned.append(planning.time_within(None, 0.0))
        draw = np.random.default_rng([seed, len(self.labelled)])
        names = tuple(label.name for label in cohort.targets["class"].labels)
        rows = []
        for k, case in enumerate(tested):
            p = dict(zip(names, draw.dirichlet(np.ones(len(names))).tolist(), strict=True))
            rows.append({"case": case.id, "truth": names[k % len(names)], "p": p})
        patients = {c.id: c.patient or c.id for c in tested}
        card = Scorecard(
            "Scores", "test", len(rows), len(rows), True, cohort.hash, "", {"auc": Interval(0.5, 0.4, 0.6, 3)}, {}, "",
            labels=names, cases=tuple(rows), patients=patients,
        )  # fmt: skip
        return SimpleNamespace(scorecard=card, bundle=object())


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> Fit:
    def measuring(_: Any) -> Any:
        def measure(cases: Any, *, progress: Any) -> Any:
            return [Seen(c.id, {"entropy": k / 7, "margin": 1 - k / 7}) for k, c in enumerate(cases)], []

        return measure

    made = Fit()
    monkeypatch.setattr(verb, "fit", made)
    few = partial(curve, resamples=20)
    monkeypatch.setattr(verb, "curve", lambda *given, metric, resamples: few(*given, metric=metric))
    monkeypatch.setattr(rounds, "asked_of", lambda *_, **__: None)
    monkeypatch.setattr(rounds, "Measuring", measuring)
    monkeypatch.setattr(rounds, "as_the_run", lambda *_: False)
    monkeypatch.setattr(rounds, "_labelled", lambda _: None)
    return made


def test_every_strategy_that_can_choose_is_held_against_random_and_the_others_are_named(
    pictures: Any, fit: Fit, tmp_path: Path
) -> None:
    found = vs.simulate_labelling(pictures.data, tmp_path / "rounds", **HOW)
    kept = ("random", "uncertainty", "uncertainty-margin")
    assert [(p.strategy, p.labels) for p in found.points] == [
        ("random", 3), *((name, labels) for labels in (5, 7) for name in kept)
    ]  # fmt: skip
    assert set(found.left_out) == {"foreground", "both", "both-drawn", "coreset"} and not found.failed
    assert "no place" in found.left_out["foreground"] and "no vectors" in found.left_out["coreset"]
    assert {len(x) for x in fit.labelled} == {3, 5, 7} and len(fit.labelled) == 1 + 2 * len(kept)
    first = found.curves()["uncertainty"][0]
    assert first[:2] == (3, found.points[0].figure.value), "all curves begin at the fit that they share"
    rows = list(csv.DictReader((tmp_path / "rounds" / "curve.csv").open()))
    assert [(r["strategy"], float(r["value"])) for r in rows] == [
        (p.strategy, p.figure.value) for p in found.points
    ]
    less = {(p.strategy, p.labels): p.figure.value or 0.0 for p in found.points}
    assert float(rows[2]["difference_value"]) == pytest.approx(less["uncertainty", 5] - less["random", 5])
    page = (tmp_path / "rounds" / "curve.html").read_text()
    assert "<svg" in page and "the strategy coreset cannot choose" in page and "with one seed" in page
    again = vs.simulate_labelling(pictures.data, tmp_path / "rounds", **HOW)
    assert again.points == found.points and len(fit.labelled) == 7, "nothing is done twice"


def test_what_cannot_be_right_is_refused_before_a_fit_and_leaves_nothing(
    pictures: Any, fit: Fit, tmp_path: Path
) -> None:
    out = tmp_path / "rounds"
    for error, match, more in (
        (PlanError, "fixed number of steps", {"settings": {}}),
        (PlanError, "whole number", {"settings": {"train.steps": "many"}}),
        (UnknownName, "uncertanty", {"strategies": ["uncertanty"]}),
        (UnknownName, "figure", {"metric": "acu"}),
        (DataError, "no place", {"strategies": ["foreground"]}),
        (DataError, "too few cases", {"rounds": 9}),
    ):
        with pytest.raises(error, match=match):
            vs.simulate_labelling(pictures.data, out, **{**HOW, **more})
    assert not out.exists() and not fit.labelled
    fit.fails = {0: DataError("no such setting")}
    with pytest.raises(DataError, match=r"no round was finished.*no such setting"):
        vs.simulate_labelling(pictures.data, out, **{**HOW, "strategies": []})
    assert not out.exists(), "what is mended needs no other folder"


def test_a_fit_that_failed_is_named_and_tried_again(pictures: Any, fit: Fit, tmp_path: Path) -> None:
    fit.fails = {2: DataError("the disk is full")}
    how = {**HOW, "strategies": ["random"]}
    found = vs.simulate_labelling(pictures.data, tmp_path / "rounds", **how)
    assert found.failed == {"seed-0-random-2": "the disk is full"} and len(found.points) == 2
    again = vs.simulate_labelling(pictures.data, tmp_path / "rounds", **how)
    assert not again.failed and len(again.points) == 3 and len(fit.labelled) == 3
    with pytest.raises(OutputError, match="another batch"):
        vs.simulate_labelling(pictures.data, tmp_path / "rounds", **{**how, "count": 1})


def test_a_limit_ends_the_rounds_and_shortens_no_fit(pictures: Any, fit: Fit, tmp_path: Path) -> None:
    how = {**HOW, "strategies": ["random"]}
    fit.fails = {1: Interrupted("interrupted")}
    with pytest.raises(Interrupted, match="what is finished is kept"):
        vs.simulate_labelling(pictures.data, tmp_path / "rounds", **how)
    with vs.limits(time="10m"):
        assert len(vs.simulate_labelling(pictures.data, tmp_path / "rounds", **how).points) == 3
    assert fit.planned == [None] * 3, "inside the limit a fit plans for no time"


def test_the_command_line_says_it_and_refuses_what_it_would_pass_over(
    pictures: Any, fit: Fit, tmp_path: Path
) -> None:
    words = ["suggest", str(pictures.data), "--simulate", "-n", "2", "--begin", "3", "--rounds", "1"]
    words += [
        "--seeds",
        "0,1",
        "--set",
        "train.steps=5",
        "--strategy",
        "random,uncertainty",
        "--metric",
        "accuracy",
    ]
    done = RUN.invoke(app, [*words, "-o", str(tmp_path / "rounds")])
    assert done.exit_code == 0, done.output
    assert "uncertainty" in done.output and "curve.html" in done.output
    told = RUN.invoke(app, [*words, "-o", str(tmp_path / "rounds"), "--json"])
    document = json.loads(told.stdout)
    jsonschema_rs.validator_for(_outcome.schema()).validate(document)
    simulation = document["result"]["simulation"]
    assert simulation == json.loads((tmp_path / "rounds" / "curve.json").read_text())
    assert [p["verdict"] for p in simulation["points"] if p["strategy"] == "random"] == ["held against"] * 2
    for wrong, said in (
        ([*words, "--labelled", "x", "--seed", "3"], "--labelled, --seed"),
        ([*words, "--resume"], "goes on by itself"),
        ([*words[:2], str(pictures.data), "--rounds", "3"], "--rounds"),
        (words[:2], "no POOL"),
    ):
        refused = RUN.invoke(app, wrong)
        assert refused.exit_code and said in str(refused.exception), wrong
