"""Simulated rounds of labelling, with a fit that only counts: what is uncovered, what goes on, and the curve."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, OutputError, PlanError
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.run.grid import Filled
from vesalius.run.rounds import Rounds, simulate
from vesalius.run.rounds_curve import curve, verdicts
from vesalius.run.transfer_setting import Setting

INFO = TargetInfo("class", "class", (Label(0, "no"), Label(1, "yes")))
ROUNDS = Rounds(begin=4, batch=3, rounds=2, strategies=("random",), seeds=(0, 1), settings={"train.steps": 5})
TESTED = tuple(f"test-{k}" for k in range(30))


def job() -> Setting:
    """Twenty cases of ten patients to learn from, one of which has no label, and thirty to be tested."""
    learned = tuple(f"case-{k}" for k in range(20))
    cases = [Case(i, {}, targets={"class": "yes"}, patient=f"p{k // 2}") for k, i in enumerate(learned)]
    cases[5] = replace(cases[5], targets={})
    tests = [Case(i, {}, targets={"class": "no"}, patient=i, split="test") for i in TESTED]
    cohort = Cohort(
        root=Path(), layout="given", cases=(*cases, *tests), targets={"class": INFO}, hash="h" * 64
    )
    return Setting(cohort, INFO, "classify", TESTED, learned, (), "patient", {})


class Fit:
    """A stand-in for `fit`: the more is labelled, the better the scores; it remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def __call__(self, cohort: Cohort, out: Path, *, seed: int, settings: Any, **how: Any) -> Any:
        labelled = [c.id for c in cohort.cases if c.id not in TESTED]
        self.given.append((seed, labelled, settings, how))
        draw = np.random.default_rng(seed)
        truth = np.arange(len(TESTED)) % 2
        p = np.clip(0.5 + (truth - 0.5) * 0.05 * len(labelled) + draw.normal(0, 0.2, len(TESTED)), 0.01, 0.99)
        cases = [
            {"case": i, "truth": ("no", "yes")[t], "p": {"no": 1 - float(x), "yes": float(x)}}
            for i, t, x in zip(TESTED, truth, p, strict=True)
        ]
        card = Scorecard(
            "Scores", "test", 30, 30, True, "h" * 64, "", {"auc": Interval(0.9, 0.8, 1.0, 30)},
            {}, "", labels=("no", "yes"), cases=tuple(cases), patients={i: i for i in TESTED},
        )  # fmt: skip
        return SimpleNamespace(scorecard=card, bundle=object())


def test_each_round_uncovers_new_cases_of_other_patients_with_a_fixed_number_of_steps(tmp_path: Path) -> None:
    fit = Fit()
    filled = simulate(job(), tmp_path / "rounds", ROUNDS, fit=fit)
    assert not filled.failed and len(fit.given) == 6 and ROUNDS.budgets == (4, 7, 10)
    for seed in ROUNDS.seeds:
        sets = [set(labelled) for s, labelled, _, _ in fit.given if s == seed]
        assert [len(x) for x in sets] == [4, 7, 10] and sets[0] < sets[1] < sets[2]
        assert "case-5" not in sets[2], "a case without a label cannot be uncovered"
        first = Counter(c.patient for c in job().cohort.cases if c.id in sets[0])
        assert max(first.values()) == 1, "one of each patient as long as they last"
    assert {s["train.steps"] for _, _, s, _ in fit.given} == {5} and fit.given[0][1] != fit.given[3][1]


def test_what_is_done_is_not_done_again_and_other_rounds_have_a_folder_of_their_own(tmp_path: Path) -> None:
    fit = Fit()
    first = simulate(job(), tmp_path / "rounds", ROUNDS, fit=fit)
    assert (
        simulate(job(), tmp_path / "rounds", ROUNDS, fit=fit).results == first.results and len(fit.given) == 6
    )
    with pytest.raises(OutputError, match="another batch"):
        simulate(job(), tmp_path / "rounds", replace(ROUNDS, batch=2), fit=fit)


def test_rounds_without_fixed_steps_or_without_random_are_refused() -> None:
    with pytest.raises(PlanError, match="fixed number of steps"):
        replace(ROUNDS, settings={})
    with pytest.raises(PlanError, match="held against random"):
        replace(ROUNDS, strategies=("both",))
    for wrong in ({"begin": 0}, {"rounds": 0}, {"seeds": ()}, {"seeds": (1, 1)}, {"seeds": (-1,)}):
        with pytest.raises(PlanError):
            replace(ROUNDS, **wrong)


def test_a_pool_that_is_too_small_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    fit = Fit()
    with pytest.raises(DataError, match=r"too few cases .* 19 cases .* for 31"):
        simulate(job(), tmp_path / "rounds", replace(ROUNDS, rounds=9), fit=fit)
    assert not fit.given and not (tmp_path / "rounds").exists()


def test_the_curve_holds_each_strategy_against_random_with_as_many_labels(tmp_path: Path) -> None:
    """A second strategy is given the cards of random's later round, so that it is as good as that with fewer labels."""
    folder = tmp_path / "rounds"
    filled = simulate(job(), folder, ROUNDS, fit=Fit())
    results = dict(filled.results)
    for seed in ROUNDS.seeds:
        for number, other in ((1, 2), (2, 2)):
            shutil.copytree(
                folder / f"cells/seed-{seed}-random-{other}", folder / f"cells/seed-{seed}-both-{number}"
            )
            results[f"seed-{seed}-both-{number}"] = results[f"seed-{seed}-random-{other}"]
    rounds = replace(ROUNDS, strategies=("random", "both"))
    points = curve(folder, Filled(results), rounds, metric="accuracy", resamples=100)
    found = {(p.strategy, p.labels): p for p in points}
    assert set(found) == {("random", 4), ("random", 7), ("random", 10), ("both", 7), ("both", 10)}
    values = {key: p.figure.value or 0.0 for key, p in found.items()}
    assert values["random", 4] < values["random", 10] == values["both", 7]
    first, second = found["both", 7], found["both", 10]
    assert first.difference is not None and first.difference.value == pytest.approx(
        values["random", 10] - values["random", 7]
    )
    assert second.difference is not None and second.difference.value == 0.0 and second.better is None
    said = "both: better than random at 7 labels" if first.better else "both: never told apart from random"
    assert verdicts(points) == (said,) and set(first.figure.by_seed) == {0, 1}
