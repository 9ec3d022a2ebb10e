"""What goes by groups in a fit: the checkpoint, the draw, the thresholds; off it changes nothing."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import vesalius as vs
from vesalius.answers import contract
from vesalius.cli import app
from vesalius.core.errors import DataError, PlanError
from vesalius.core.groups import Grouping, fitted_for
from vesalius.core.plan import Plan, override
from vesalius.core.sensitivity import keeping
from vesalius.evaluate import fairness
from vesalius.learn.examples import batches
from vesalius.learn.validate import Validator
from vesalius.metrics import scores
from vesalius.prepare.batch import Example

SMALL = {
    "net.scale": 0.125, "train.threads": 1, "train.members": 1, "train.steps": 6, "train.batch": 4,
    "train.validations": 2, "data.size": [1, 28, 28],
}  # fmt: skip


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vs.phantom(
        tmp_path_factory.mktemp("spots") / "data", kind="spots", cases=150, options={"contrast": 60.0}
    )


@pytest.fixture(scope="module")
def fitted(quick: None, spots: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[vs.Run]:
    """A run with everything on that goes by groups."""
    patch = pytest.MonkeyPatch()
    patch.setattr(fairness, "subgroups", functools.partial(fairness.subgroups, shuffles=99))
    yield vs.fit(
        spots,
        tmp_path_factory.mktemp("runs") / "run",
        by=("sex", "age"),
        settings={
            **SMALL,
            "train.select": "worst_group",
            "train.balance_groups": True,
            "train.group_thresholds": "sensitivity",
        },
        progress=False,
    )
    patch.undo()


def test_the_plan_says_the_column_and_why(fitted: vs.Run) -> None:
    train = fitted.plan.train
    assert (train.by, train.by_bounds) == ("sex", ())
    assert "--by" in fitted.plan.reasons["train.by"]


def test_thresholds_of_groups_are_in_the_bundle_and_those_of_the_case_are_used(fitted: vs.Run) -> None:
    assert fitted.bundle is not None
    fit = fitted.bundle.stages[-1].calibration
    own = fit["groups"]["thresholds"]
    assert set(own) == {"F", "M"} and set(fit["groups"]["n"]) == {"F", "M"}
    from vesalius.phantom import patient

    case = patient(0, 77, kind="spots").as_case()
    for sex, expected in ((s, own[s]) for s in "FM"):
        told = replace(case, covariates={"sex": sex})
        assert vs.predict(fitted.bundle, told).thresholds == expected
    unknown = vs.predict(fitted.bundle, replace(case, covariates={}))
    assert unknown.thresholds == fit["thresholds"]
    assert np.array_equal(
        unknown.p, vs.predict(fitted.bundle, told).p
    )  # what is said stays; what is called may not


def test_each_case_is_scored_by_its_own_threshold(fitted: vs.Run, spots: Path) -> None:
    """The card's calls against those that follow from probabilities and the bundle's thresholds by hand."""
    card, bundle = fitted.scorecard, fitted.bundle
    assert card is not None and bundle is not None
    own = bundle.stages[-1].calibration["groups"]["thresholds"]
    sex = {c.id: str(c.covariates["sex"]) for c in vs.read(spots).cases}
    for case in card.cases:
        name = card.positive
        assert (case["called"] == name) == (case["p"][name] >= own[sex[case["case"]]][name])


def test_a_card_gives_back_the_calls_that_were_made_by_group(fitted: vs.Run) -> None:
    """`compare` reads rows out of a card: with one threshold for all they would be other calls."""
    card = fitted.scorecard
    assert card is not None
    rows = contract.of("Scores").again(card)
    assert rows is not None
    found = scores.summary(rows, np.arange(len(rows)))
    assert found["recall"] == pytest.approx(card.metrics["recall"].value)
    assert found["accuracy"] == pytest.approx(card.metrics["accuracy"].value)


def test_the_report_has_the_groups_of_the_test_cases(fitted: vs.Run) -> None:
    card = fitted.scorecard
    assert card is not None and [s.by for s in card.subgroups] == [("sex",), ("age",)]
    assert fitted.path is not None
    page = (fitted.path / "report.html").read_text(encoding="utf-8")
    assert "By group of patients" in page
    sealed = json.loads((fitted.path / "bundle" / "scorecard.json").read_text(encoding="utf-8"))
    assert [s["by"] for s in sealed["subgroups"]] == [["sex"], ["age"]]


def test_off_nothing_changes(tmp_path: Path, fitted: vs.Run) -> None:
    """Columns for the report alone change no weight, and no calibration."""
    few = vs.phantom(tmp_path / "few", kind="spots", cases=50)
    runs = [
        vs.fit(few, tmp_path / str(k), by=by, settings={**SMALL, "train.steps": 3}, progress=False)
        for k, by in enumerate(((), ("sex",)))
    ]
    files = [r.path / "bundle" / "weights-0-0.safetensors" for r in runs if r.path is not None]
    assert files[0].read_bytes() == files[1].read_bytes()
    first, second = (r.bundle.stages[-1].calibration for r in runs if r.bundle is not None)
    assert first == second and "groups" not in first
    assert runs[0].plan.train.by is None is runs[1].plan.train.by


@pytest.mark.parametrize(
    ("settings", "by", "error", "words"),
    [
        ({"train.select": "worst_group"}, None, PlanError, "no column says which"),
        ({"train.select": "worst_group"}, ("hair",), DataError, "no case has a column 'hair'"),
        ({"train.balance_groups": True, "train.by": "hair"}, None, DataError, "no case has a column 'hair'"),
        ({"train.select": "worst_group"}, ("id",), DataError, "'id'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_folder_is_made(
    spots: Path, tmp_path: Path, settings: dict[str, Any], by: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as found:
        vs.fit(spots, tmp_path / "run", by=by, settings={**SMALL, **settings}, progress=False)
    assert "\n" not in str(found.value) and not (tmp_path / "run").exists()


def test_groups_that_are_too_small_to_validate_are_refused(tmp_path: Path) -> None:
    few = vs.phantom(tmp_path / "few", kind="spots", cases=60)
    with pytest.raises(PlanError, match="two groups of at least 10 patients"):
        vs.fit(
            few,
            tmp_path / "run",
            by=("sex",),
            settings={**SMALL, "train.select": "worst_group"},
            progress=False,
        )


# --- the draw


def examples(cells: dict[tuple[str | None, int], int]) -> list[Example]:
    made = []
    for (group, label), n in cells.items():
        hot = np.eye(2, dtype=np.float32)[label]
        made += [
            Example(
                f"{group}-{label}-{k}",
                {"image": np.zeros((1, 1, 4, 4), np.float32)},
                {"label": hot},
                stratum=group,
            )
            for k in range(n)
        ]
    return made


def plan(fitted: vs.Run, **settings: Any) -> Plan:
    return override(fitted.plan, {f"train.{k}": v for k, v in settings.items()})


def test_each_class_of_each_group_is_drawn_equally_often(fitted: vs.Run) -> None:
    cells = {("F", 0): 60, ("F", 1): 20, ("M", 0): 90, ("M", 1): 40}
    given = examples(cells)
    drawn: Counter[str] = Counter()
    draw = batches(given, plan(fitted, batch=50), 0)
    for step in range(200):
        drawn.update(given[k].case_id.rpartition("-")[0] for k in draw.order(step))
    assert all(drawn[f"{g}-{label}"] / 10_000 == pytest.approx(0.25, abs=0.02) for g, label in cells)


def test_a_group_of_few_is_not_learned_by_heart(fitted: vs.Run) -> None:
    given = examples({("F", 0): 1, ("F", 1): 1, ("M", 0): 200, ("M", 1): 200})
    weights = batches(given, plan(fitted), 0).weights
    assert weights is not None and float(weights.max()) == 10.0


# --- the checkpoint


class Fixed(torch.nn.Module):
    """A model whose answer is the mean of its picture."""

    def __init__(self) -> None:
        super().__init__()
        self.none = torch.nn.Parameter(torch.zeros(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        z = image.flatten(1).mean(1)
        return torch.stack([-z, z], 1)


def test_the_score_of_the_worst_group_is_its_own_area(fitted: vs.Run) -> None:
    from vesalius.tasks.contract import get

    rng = np.random.default_rng(0)
    given, truths, z = [], [], []
    for k in range(80):
        sex, y = "FM"[k % 2], k // 2 % 2
        mean = float(rng.normal() + y * (0.5 if sex == "F" else 3.0))
        picture = np.full((1, 1, 28, 28), mean, np.float32)
        given.append(Example(f"c{k}", {"image": picture}, stratum=sex))
        truths.append(["none", "spot"][y])
        z.append(mean)
    assert fitted.bundle is not None
    state, task = fitted.bundle.stages[-1].state, get("classify")
    score = Validator(task, fitted.plan, state, given, truths)(Fixed().eval())
    p = 1 / (1 + np.exp(-2 * np.array(z)))
    y = np.array([int(t == "spot") for t in truths])
    rows = scores.from_arrays(np.stack([1 - p, p], 1), y, labels=["none", "spot"])
    by = {s: scores.summary(rows, np.arange(k, 80, 2))["auc"] for k, s in enumerate("FM")}
    assert by["F"] < by["M"] and score == pytest.approx(by["F"])
    whole = override(fitted.plan, {"train.select": "best"})
    assert Validator(task, whole, state, given, truths)(Fixed().eval()) == pytest.approx(
        scores.summary(rows, np.arange(80))["auc"]
    )


# --- thresholds


def test_the_threshold_that_keeps_a_sensitivity_by_hand() -> None:
    p = np.array([0.9, 0.8, 0.6, 0.4, 0.7, 0.3, 0.2])
    so = np.array([1, 1, 1, 1, 0, 0, 0], dtype=bool)
    assert keeping(p, so, 0.75) == pytest.approx(0.5)  # half way from 0.6 to 0.4
    assert keeping(p, so, 0.5) == pytest.approx(0.75)
    assert keeping(p, so, 1.0) == pytest.approx(0.35)


def test_a_calibration_without_groups_is_left_as_it_is() -> None:
    case = _case(30.0)
    plain = {"temperature": 2.0, "thresholds": {"a": 0.5}}
    assert fitted_for(plain, case) is plain
    ages = {"grouping": Grouping("age", (40.0,)).json(), "thresholds": {"from 40": {"a": 0.2}}, "n": {}}
    assert fitted_for({**plain, "groups": ages}, case)["thresholds"] == {"a": 0.5}
    assert fitted_for({**plain, "groups": ages}, _case(50.0))["thresholds"] == {"a": 0.2}


def _case(age: float) -> Any:
    from vesalius.phantom import patient

    return replace(patient(0, kind="spots").as_case(), covariates={"age": age})


def test_the_command_line_gives_figures_by_group(fitted: vs.Run, spots: Path) -> None:
    run, what = CliRunner(), ["evaluate", str(fitted.path), str(spots), "--split", "test"]
    done = run.invoke(app, [*what, "--by", "sex,age", "--smallest-group", "3", "--json"])
    card = json.loads(done.stdout)["result"]["scorecard"]
    assert [s["by"] for s in card["subgroups"]] == [["sex", "age"]] and card["subgroups"][0]["smallest"] == 3
    plain = run.invoke(app, [*what, "--by", "none", "--json"])
    assert json.loads(plain.stdout)["result"]["scorecard"]["subgroups"] == []
    said = run.invoke(app, [*what, "--by", "sex"])
    assert "groups: AUC" in said.output and "(sex)" in said.output
    refused = run.invoke(app, [*what, "--by", "hair"])
    assert refused.exit_code != 0 and "no case has a column 'hair' to group by" in str(refused.exception)
