"""vs.compare: two runs by their scorecards or on other data, predictions beside them, and what is refused."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vesalius as vs
from vesalius import cli
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import DataError, OutputError
from vesalius.core.scorecard import load_scorecard

SMALL = {
    "net.scale": 0.125, "train.threads": 1, "train.members": 1, "train.steps": 8, "train.batch": 4,
    "train.validations": 1, "data.size": [1, 32, 32],
}  # fmt: skip


@pytest.fixture(scope="module")
def other(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    """Another run of the same data with the same split."""
    return vs.fit(pictures.data, tmp_path_factory.mktemp("other") / "plainer", settings=SMALL, seed=3)


def test_two_runs_are_compared_by_what_they_left_behind(pictures: Any, other: vs.Run, tmp_path: Path) -> None:
    found = vs.compare(pictures.path, other, out=tmp_path / "c", resamples=100)
    first, second = load_scorecard(pictures.path / "scorecard.json"), other.scorecard
    assert second is not None and found.names == ("run", "plainer") and found.n_cases == first.n_cases
    assert first.patients and found.patients_known and found.n_patients == first.n_patients
    for name in ("accuracy", "log_loss", "ece"):
        one = found.differences[name]
        assert one.first == pytest.approx(first.metrics[name].value)
        assert one.second == pytest.approx(second.metrics[name].value)
        assert one.difference == pytest.approx(second.metrics[name].value - first.metrics[name].value)
    told = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert told["names"] == ["run", "plainer"] and len(told["cases"]) == found.n_cases
    page = (tmp_path / "c" / "compare.html").read_text()
    assert (
        found.verdict.split(":")[0] in page
        and "http:" not in page
        and "https:" not in page
        and page.count("<svg") >= 1
    )
    assert all(case["case"] in page for case in found.cases)
    assert found.to_polars().height == len(found.differences) and len(repr(found)) < 120
    assert "<table>" in found._repr_html_()
    assert found.to_pandas()["figure"].to_list() == list(found.differences)
    shown = found.show(tmp_path / "shown.html")
    assert shown is not None and shown.read_text() == page


def test_scored_again_they_differ_by_the_same(pictures: Any, other: vs.Run) -> None:
    stored = vs.compare(pictures.run, other, resamples=20)
    again = vs.compare(pictures.path, other.path, pictures.data, split="test", resamples=20)
    assert {c["case"] for c in again.cases} == {c["case"] for c in stored.cases}
    for name, one in again.differences.items():
        if one.difference is not None:
            assert one.difference == pytest.approx(stored.differences[name].difference, abs=1e-6), name
    everything = vs.compare(pictures.path, other.path, pictures.data, resamples=20)
    assert {c["case"] for c in everything.cases} == {c["case"] for c in stored.cases}, (
        "what was trained on is left out"
    )


def test_a_case_that_either_was_trained_on_is_left_out(pictures: Any, tmp_path: Path) -> None:
    other = vs.fit(pictures.data, tmp_path / "other", settings=SMALL, seed=11)
    with pytest.raises(DataError, match=r"scored on different cases of these data; found .*trained on.*DATA"):
        vs.compare(pictures.path, other)
    tests = [set(load_scorecard(p / "scorecard.json").patients) for p in (pictures.path, tmp_path / "other")]
    if tests[0] & tests[1]:
        found = vs.compare(pictures.path, other, pictures.data, resamples=20)
        assert {c["case"] for c in found.cases} <= tests[0] & tests[1]
        assert any("left out, as one of the two was trained on them" in note for note in found.notes)
    else:
        with pytest.raises(DataError, match="no case is left that neither"):
            vs.compare(pictures.path, other, pictures.data, resamples=20)


def test_predictions_of_any_tool_are_compared_with_a_bundle(pictures: Any, tmp_path: Path) -> None:
    vs.predict(pictures.bundle, pictures.data, tmp_path / "said")
    found = vs.compare(
        pictures.path, tmp_path / "said" / "answers.csv", pictures.data, split="test", resamples=20
    )
    for name in ("auc/cyst", "log_loss", "accuracy"):
        one = found.differences[name]
        assert one.difference is None or one.difference == pytest.approx(0, abs=1e-4), name
    assert any("could not be checked" in note for note in found.notes)


def test_what_cannot_be_compared_is_refused(
    pictures: Any, volumes: Any, other: vs.Run, tmp_path: Path
) -> None:
    shutil.copytree(pictures.bundle, tmp_path / "alone")
    with pytest.raises(DataError, match=r"alone has no scorecard with its cases.*DATA"):
        vs.compare(open_bundle(tmp_path / "alone"), other)
    with pytest.raises(DataError, match="different kinds of answer"):
        vs.compare(pictures.path, volumes.path)
    with pytest.raises(DataError, match="nothing at"):
        vs.compare(pictures.path, tmp_path / "nothing")
    card = load_scorecard(pictures.path / "scorecard.json")
    with pytest.raises(DataError, match="scored on different data"):
        vs.compare(card, replace(card, data_hash="0" * 64))
    same = vs.compare(pictures.path, card, resamples=20)
    assert same.notes[0] == "Both are the same bundle." and not any(
        d.better for d in same.differences.values()
    )


def test_masks_are_compared_from_their_scorecards(volumes: Any, tmp_path: Path) -> None:
    card = load_scorecard(volumes.path / "scorecard.json")
    worse = replace(
        card, bundle="other",
        cases=tuple({k: (0.5 * v if k.startswith("dice/") and v else v) for k, v in c.items()} for c in card.cases),
    )  # fmt: skip
    found = vs.compare(card, worse, resamples=20)
    assert found.differences["dice"].first == pytest.approx(card.metrics["dice"].value)
    assert found.differences["dice"].second == pytest.approx(0.5 * (card.metrics["dice"].value or 0))


def test_the_command_prints_a_table_and_writes_a_page(
    pictures: Any,
    other: vs.Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["vesalius", "compare", str(pictures.path), str(other.path), "-o", str(tmp_path / "c")]
    monkeypatch.setattr(sys, "argv", words)
    cli.main()
    said = capsys.readouterr().out
    assert "difference (95 % interval)" in said and "plainer" in said and "compare.html" in said
    with pytest.raises(OutputError, match="not empty"):
        vs.compare(pictures.path, other, out=tmp_path / "c", resamples=2)
