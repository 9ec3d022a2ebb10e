"""search from data to a run: what it keeps and says, that no test case is looked at, and kill -9 of the whole of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from tests._patience import until
from tests.test_docs import REPO, blocks

import vesalius as vs
from vesalius.cli import _outcome
from vesalius.core.errors import OutputError, PlanError
from vesalius.core.plan import load_plan
from vesalius.run.fold_training import FoldTraining
from vesalius.search import result
from vesalius.search.store import DONE, FAILED, RESULT

pytest.importorskip("optuna")
SET = {"train.steps": 3, "net.scale": 0.125, "data.size": [1, 32, 32], "train.members": 1}
SPACE = {
    "train.lr": {"low": 1e-4, "high": 1e-2, "log": True},
    "net.name": ["resnet-10", "cnn", "densenet-121"],
}
TOLD: dict[str, Any] = {"settings": SET, "space": SPACE, "init": "none", "folds": 4, "progress": False}


@pytest.fixture(scope="module")
def looked() -> list[str]:
    return []


@pytest.fixture(scope="module")
def found(pictures: Path, tmp_path_factory: pytest.TempPathFactory, looked: list[str]) -> vs.Search:
    """A search of five trials, whose third is taken whatever it came to, and all cases that its trials were shown."""
    patch = pytest.MonkeyPatch()
    real = FoldTraining.trained

    def trained(self: FoldTraining, job: Any, plan: Any, **more: Any) -> Any:
        looked.extend(job.examples)
        return real(self, job, plan, **more)

    from vesalius.verbs import search as verb

    decided = verb.decided
    patch.setattr(FoldTraining, "trained", trained)
    patch.setattr(verb, "decided", lambda *a, **k: replace(decided(*a, **k), chosen=2, why="it is a test"))
    try:
        return vs.search(pictures, tmp_path_factory.mktemp("search") / "out", trials=5, ensemble=2, **TOLD)
    finally:
        patch.undo()


def test_the_run_is_one_like_any_and_its_plan_says_what_was_found(found: vs.Search, pictures: Path) -> None:
    assert found.run is not None and found.chosen is not None and found.chosen.number == 2
    plan = load_plan(Path(found.run) / "plan.json")
    assert plan.train.lr == pytest.approx(found.chosen.settings["train.lr"])
    assert plan.net.name == found.chosen.settings["net.name"]
    assert plan.reasons["train.lr"].startswith(f"found by search: trial 2 of 5, auc {found.chosen.score:.3f}")
    assert plan.reasons["train.steps"] == "set by the user" and found.members[0] == 2
    several = len(found.members) > 1
    assert len(plan.train.varied) == (len(found.members) if several else 0)
    assert several or any("smaller than was asked for" in note for note in found.notes)
    answer = vs.predict(Path(found.run) / "bundle", pictures / "even" / "0.png", progress=False)
    assert answer is not None


def test_the_test_cases_are_scored_once_and_seen_by_no_trial(found: vs.Search, looked: list[str]) -> None:
    card = json.loads((Path(str(found.run)) / "scorecard.json").read_text())
    assert found.test is not None and found.test.value == card["metrics"]["auc"]["value"]
    tested = set(json.loads((Path(str(found.run)) / "folds.json").read_text())["test"])
    assert tested and looked and not tested & set(looked)
    assert (
        len(list(Path(str(found.run)).parent.glob("**/scorecard.json"))) == 2
    )  # the run's, and its bundle's


def test_all_of_it_is_written_down_and_read_again(found: vs.Search) -> None:
    folder = Path(str(found.run)).parent
    again = result.load(folder)
    assert again.to_json() == found.to_json()
    assert [t.state for t in again.trials] == [DONE] * 5 and again.default_score is not None
    page = (folder / result.PAGE).read_text()
    assert "it is a test" in page and "<link" not in page and "src=" not in page
    assert found.space_text == (folder / result.SPACE).read_text()
    assert found.to_polars().height == 5 and "luck" in found.luck


def test_its_document_is_the_schemas(found: vs.Search) -> None:
    whole = _outcome.schema()
    one = {"$defs": whole["$defs"], "$ref": "#/$defs/search"}
    told = {"out": "out", "files": {}, "search": json.loads(json.dumps(found.to_json()))}
    jsonschema_rs.validator_for(one).validate(told)


def test_the_pages_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": "documentation"}
    page = REPO / "docs" / "search.md"
    shown = [block for block in blocks(page) if block.language == "python"]
    assert len(shown) == 2
    for block in shown:
        exec(compile("\n" * block.line + block.code, str(page), "exec"), space)
    assert space["found"].run is not None


def test_another_search_is_not_mixed_with_it(found: vs.Search, pictures: Path, tmp_path: Path) -> None:
    folder = Path(str(found.run)).parent
    with pytest.raises(OutputError, match="another settings"):
        vs.search(pictures, folder, trials=5, **{**TOLD, "settings": {**SET, "train.steps": 4}})
    with pytest.raises(OutputError, match="holds no search"):
        vs.search(pictures, tmp_path, trials=5, resume=True, **TOLD)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        vs.search(pictures, tmp_path, trials=5, **TOLD)


def test_a_dry_run_says_the_space_and_writes_nothing(pictures: Path, tmp_path: Path) -> None:
    told = {**TOLD, "space": None, "settings": {"data.size": [1, 32, 32]}}
    found = vs.search(pictures, tmp_path / "out", dry_run=True, **told)
    assert "net.name" in found.space and "data.size" not in found.space and not (tmp_path / "out").exists()
    file = tmp_path / "space.yaml"
    file.write_text(found.space_text)
    again = vs.search(pictures, tmp_path / "out", dry_run=True, **{**told, "space": file})
    assert again.space == found.space


def test_a_plan_that_cannot_be_followed_is_a_failed_trial(pictures: Path, tmp_path: Path) -> None:
    space = {"net.options.stem": ["half", "no such stem"], "net.name": ["resnet-10"]}
    found = vs.search(pictures, tmp_path / "out", trials=6, **{**TOLD, "space": space})
    failed = [t for t in found.trials if t.state == FAILED]
    assert failed and all("stem" in t.reason for t in failed) and found.run is not None
    assert {t.settings["net.options.stem"] for t in failed} == {"no such stem"}


def test_a_default_plan_that_cannot_be_trained_is_said(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(vs.VesaliusError):
        vs.search(
            pictures,
            tmp_path / "out",
            trials=3,
            **{**TOLD, "settings": {**SET, "train.lr": 1e30}, "space": {"net.dropout": [0.0, 0.1]}},
        )


def test_trials_that_are_too_short_to_learn_anything_are_refused(pictures: Path, tmp_path: Path) -> None:
    """After one step plans differ by chance alone, and one of them would be called better."""
    settings = {"data.size": [1, 32, 32], "net.scale": 0.125}
    with pytest.raises(vs.BudgetError, match="minimum of 20 steps"):
        vs.search(
            pictures, tmp_path / "out", trials=3, time_per_trial="0.01s", **{**TOLD, "settings": settings}
        )


def test_a_plan_that_is_given_a_models_finds_is_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises((PlanError, vs.UnknownName)):
        vs.search(
            pictures,
            tmp_path / "out",
            trials=3,
            **{**TOLD, "settings": {**SET, "earlier": [{"name": "a"}], "takes": {"how": "channel"}}},
        )


def test_killed_with_minus_nine_the_whole_of_it_goes_on(pictures: Path, tmp_path: Path) -> None:
    """With two workers, from the command line: what was finished stays, the rest is done, and one run is trained."""
    folder, space = tmp_path / "out", tmp_path / "space.yaml"
    space.write_text(json.dumps(SPACE))
    words = [word for name, value in SET.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    command = [
        sys.executable,
        "-m",
        "vesalius",
        "search",
        str(pictures),
        "-o",
        str(folder),
        "--space",
        str(space),
    ]
    command += ["--trials", "5", "--workers", "2", "--init", "none", "--folds", "4", *words]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    until(lambda: len(list(folder.glob(f"trials/*/{RESULT}"))) >= 2 or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.read_bytes() for path in folder.glob(f"trials/*/{RESULT}")}
    found = vs.search(pictures, folder, trials=5, workers=2, resume=True, **TOLD)
    assert [t.number for t in found.trials] == list(range(5)) and found.test is not None
    assert {t.state for t in found.trials} == {DONE} and before
    kept = {path: json.loads(text) for path, text in before.items()}
    assert all(json.loads(path.read_text()) == told for path, told in kept.items())
    assert not (folder / "work").exists()
