"""compress: only what is allowed is sealed, on the right cases; the bundle that comes out is an ordinary one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from _ways import CALLS, SEEN, join

import vesalius as vs
from vesalius import cli, cohorts
from vesalius.cli import _outcome
from vesalius.compress import auto, gate, held_out, measure, opened, trial
from vesalius.compress.measure import Cost
from vesalius.compress.opened import Reading
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import DataError, Interrupted, OutputError, PlanError, UnknownName
from vesalius.core.progress import Silent

SETTINGS = {
    "net.scale": 0.125, "train.threads": 1, "train.steps": 8, "train.batch": 4, "train.validations": 1,
    "train.members": 2, "data.size": [1, 32, 32],
}  # fmt: skip


@pytest.fixture(scope="module")
def two(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two members, each with a fold of its own."""
    path = tmp_path_factory.mktemp("compress") / "run"
    vs.fit(pictures.data, path, folds=2, settings=SETTINGS, seed=3)
    return path


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ways of tests; costs that are not measured, and a gate that few patients pass."""
    join()
    CALLS.clear()
    SEEN.clear()
    monkeypatch.setattr(gate, "FEWEST", 2)
    monkeypatch.setattr(auto.ways, "in_order", lambda: ("trial-spoiled", "trial-same", "trial-unfit"))
    monkeypatch.setattr(measure, "beside", cost)


def cost(original: Any, other: Any, *rest: Any, **named: Any) -> Cost:
    """A compressed model is always three times as fast, and half as large."""
    ratio = 1.0 if other is None else 3.0
    return Cost(
        throughput=10.0 * ratio, ratio=ratio, rounds=3, batch=4, p50_s=0.1, p95_s=0.2, answers=3, macs=10,
        size_bytes=100, weights_bytes=80 if other is None else 40, memory_bytes=None, joules=None, energy_how="",
        runtime="torch", threads=1,
    )  # fmt: skip


def test_a_model_that_drops_is_refused_and_the_next_is_sealed(
    two: Path, ways: None, tmp_path: Path, pictures: Any
) -> None:
    found = vs.compress(two, out=tmp_path / "small", max_drop=0.05)
    spoiled, same = found.found.tried
    assert [one.name for one in found.found.tried] == ["trial-spoiled", "trial-same"]  # and no further
    assert not spoiled.verdict.passed and same.verdict.passed and found.found.chosen == "trial-same"
    folds = cohorts.load_assignment(two / "folds.json")
    assert same.drop is not None and same.drop.cases == sum(map(len, folds.folds))  # no test case among them
    assert [seen & set(fold) for seen, fold in zip(SEEN[-2:], folds.folds, strict=True)] == [set(), set()]
    assert not set.union(*SEEN) & set(folds.test)
    before, after = open_bundle(two), open_bundle(tmp_path / "small")
    assert after.hash == found.hashes["compressed"] != before.hash and after.data_hash == before.data_hash
    case = vs.read(pictures.data).cases[0]
    assert np.allclose(vs.predict(before, [case])[0].p, vs.predict(after, [case])[0].p, atol=1e-3)
    assert "selftest" in after.stages[0].extras and vs.selftest(after).outcome == "passed"
    about = after.stages[0].extras["compressed"].values
    assert about["from"] == before.hash and about["ways"] == "trial-same"
    assert sorted(p.name for p in (tmp_path / "small").iterdir()) == [
        "bundle", "compress.html", "compress.json", "scorecard.json", "trained_on.json",
    ]  # fmt: skip
    told = json.loads((tmp_path / "small" / "compress.json").read_text())
    assert told["chosen"] == "trial-same" and told["test"]["cases"] == len(folds.test)
    page = (tmp_path / "small" / "compress.html").read_text()
    assert "trial-spoiled" in page and "PLANTED" not in page + json.dumps(told)
    card = vs.evaluate(tmp_path / "small", pictures.data, split="all", out=tmp_path / "scored")
    assert card.n_cases == len(folds.test)  # it is known what the small one learned from, too


def test_where_all_are_refused_nothing_is_sealed_and_nothing_is_tried_twice(
    two: Path, ways: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(auto.ways, "in_order", lambda: ("trial-spoiled", "trial-unfit", "trial-failing"))
    out = tmp_path / "small"
    monkeypatch.setattr("sys.argv", ["vesalius", "compress", str(two), "-o", str(out), "--max-drop", "0.001"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert "nothing was compressed" in said and "wrong colour" in said and "trial-spoiled" in said
    assert (out / "compress.html").is_file() and not list(out.rglob("MANIFEST.sha256"))[1:]
    assert not (out / "bundle").exists() and json.loads((out / "compress.json").read_text())["chosen"] is None
    with pytest.raises(OutputError, match="begun"):
        vs.compress(two, out=out)
    CALLS.clear()
    found = vs.compress(two, out=out, max_drop=0.99, resume=True)
    assert found.found.chosen == "trial-spoiled" and CALLS == []
    with pytest.raises(OutputError, match="nothing to go on with"):
        vs.compress(two, out=out, resume=True)


def test_an_interrupted_one_goes_on_where_it_was(
    two: Path, ways: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trial.writing.finished
    monkeypatch.setattr(trial.writing, "finished", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        vs.compress(two, out=tmp_path / "small", max_drop=0.05)
    monkeypatch.setattr(trial.writing, "finished", whole)
    assert not (tmp_path / "small" / "bundle" / "MANIFEST.sha256").exists()
    CALLS.clear()
    found = vs.compress(two, out=tmp_path / "small", max_drop=0.05, resume=True)
    assert CALLS == [] and found.found.chosen == "trial-same"


def test_a_combination_goes_on_from_what_was_made(two: Path, ways: None, tmp_path: Path) -> None:
    found = vs.compress(two, out=tmp_path / "small", max_drop=0.05, ways="trial-same+trial-same")
    assert CALLS == ["trial-same", "trial-same+trial-same"] and len(found.found.tried) == 2


def test_the_gate_never_looks_at_a_test_case(
    two: Path, ways: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    whole = held_out.rows_of

    def watched(*args: Any, **named: Any) -> Any:
        rows = whole(*args, **named)
        asked.extend(rows.case_ids)
        return rows

    monkeypatch.setattr(held_out, "rows_of", watched)
    monkeypatch.setattr(
        "vesalius.verbs.compress.score_cases", lambda *a, **k: pytest.fail("scored too early")
    )
    monkeypatch.setattr(auto.ways, "in_order", lambda: ("trial-spoiled",))
    with pytest.raises(DataError, match="nothing was compressed"):
        vs.compress(two, out=tmp_path / "small", max_drop=0.001)
    folds = cohorts.load_assignment(two / "folds.json")
    assert set(asked) == {i for fold in folds.folds for i in fold} and not set(asked) & set(folds.test)


def test_a_bundle_without_its_run_is_refused(two: Path, tmp_path: Path, pictures: Any) -> None:
    shutil.copytree(two / "bundle", tmp_path / "alone")
    with pytest.raises(DataError, match="which data"):
        vs.compress(tmp_path / "alone", out=tmp_path / "small")
    with pytest.raises(DataError, match="never saw"):
        vs.compress(tmp_path / "alone", pictures.data, out=tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_folds_are_known_by_the_record_where_the_data_lie_elsewhere(
    two: Path, tmp_path: Path, pictures: Any
) -> None:
    shutil.copytree(two / "bundle", tmp_path / "copied" / "bundle")
    shutil.copy(two / "trained_on.json", tmp_path / "copied")
    bundle = open_bundle(tmp_path / "copied")
    found = opened.opened(bundle, pictures.data, Reading(), progress=Silent())
    folds = cohorts.load_assignment(two / "folds.json")
    assert [set(f) for f in found.space.assignment.folds] == [set(f) for f in folds.folds]
    assert set(found.space.assignment.test) == set(folds.test)


def test_what_cannot_be_compressed_is_said_before_anything_is_written(two: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    for wrong, kind in (
        ({"target": "fast"}, PlanError),
        ({"target": 0.5}, PlanError),
        ({"max_drop": 1.5}, PlanError),
        ({"ways": "quantize-static"}, UnknownName),
        ({"ways": "quantise-static+runtime"}, PlanError),
    ):
        with pytest.raises(kind):
            vs.compress(two, out=out, **wrong)
    with pytest.raises(OutputError, match="kept apart"):
        vs.compress(two, out=two / "bundle" / "small")
    bundle = open_bundle(two)
    with pytest.raises(PlanError, match="several stages"):
        opened.assert_possible(replace(bundle, stages=bundle.stages * 2))
    with pytest.raises(PlanError, match="compressed already"):
        opened.assert_possible(replace(bundle, stages=(replace(bundle.stages[0], runtime="onnx"),)))
    assert not out.exists()


def test_costs_are_measured_turn_by_turn(two: Path, pictures: Any) -> None:
    about = opened.opened(open_bundle(two), None, Reading(), progress=Silent())
    source = opened.source_of(about, two / "nowhere", until=None, progress=Silent())
    probe = measure.Probe(list(source.examples.values()), about.held_out[:2])
    found = measure.beside(about.bundle, None, probe, device="cpu", progress=Silent())
    assert found.ratio == 1 and found.batch == about.plan.infer.batch and found.rounds >= 3
    weights = sum((two / "bundle" / name).stat().st_size for name in about.stage.members)
    assert found.weights_bytes == weights < found.size_bytes and found.answers == 2
    assert found.p50_s is not None and found.p95_s is not None and found.p50_s <= found.p95_s
    assert found.macs is not None and found.throughput > 0


def test_its_document_is_as_the_schema_says(
    two: Path, ways: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["vesalius", "compress", str(two), "-o", str(tmp_path / "small"), "--max-drop", "0.9", "--json"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr(auto.ways, "in_order", lambda: ("trial-unfit", "trial-same"))
    cli.main()
    document = json.loads(capsys.readouterr().out)
    jsonschema_rs.validator_for(_outcome.schema()).validate(document)
    found = document["result"]
    assert (document["exit_code"], document["verb"], len(found["bundle"])) == (0, "compress", 64)
    told = found["compression"]
    assert told["chosen"] == "trial-same" and [one["allowed"] for one in told["tried"]] == [False, True]
    assert "wrong colour" in told["tried"][0]["why"] and told["tried"][1]["cost"]["ratio"] == 3
