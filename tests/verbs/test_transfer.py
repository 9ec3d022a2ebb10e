"""A transfer table: the same test cases for all, labels hidden by patient, nothing done twice, verdicts that hold."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vesalius as vs
from vesalius import cli
from vesalius.core.errors import OutputError, UnknownName
from vesalius.core.progress import Silent
from vesalius.core.scorecard import load_scorecard
from vesalius.evaluate.transfer import BETTER, UNHELPFUL, drawn_page, load
from vesalius.run.arms import Arm, Level, chosen, levels
from vesalius.run.transfer_setting import Setting, Shift, setting
from vesalius.run.workspace import prepare_workspace
from vesalius.verbs import transfer as verb

BOTH: dict[str, Any] = {
    "net.name": "cnn",
    "net.scale": 0.125,
    "train.steps": 2,
    "train.validations": 1,
    "data.size": [1, 28, 28],
}
TINY: dict[str, Any] = {**BOTH, "train.members": 1, "train.batch": 4, "infer.novelty": "none"}
LOST = Arm("lost", "lost weights", init="no-such-weights")
HOW: dict[str, Any] = {
    "counts": (8, 16),
    "seeds": (0,),
    "arms": ("nothing", "self", LOST),
    "init": "none",
    "time_limit": None,
    "pretrain_limit": None,
    "settings": TINY,
    "pretrain_settings": {"train.steps": 2, "train.batch": 8, "train.validations": 1},
    "shift": {"site": "north"},
    "resamples": 40,
    "progress": False,
}


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of thirty patients with two pictures each, from three sites."""
    made = vs.phantom(tmp_path_factory.mktemp("spots") / "data", kind="spots", cases=60)
    with (made / "cohort.csv").open() as file:
        rows = list(csv.DictReader(file))
    for k, row in enumerate(rows):
        row["patient"] = f"S{k // 4 * 2 + k % 2:04d}"  # 0 and 2, 1 and 3 …: two of one class
        row["site"] = rows[k // 4 * 4 + k % 2]["site"]
    with (made / "cohort.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return made


@pytest.fixture(scope="module")
def job(spots: Path) -> Setting:
    space = prepare_workspace(
        spots, task=None, target=None, columns=None, split=None, seed=0, folds=5, max_set_aside=0.1,
        progress=Silent(),
    )  # fmt: skip
    return setting(space, Shift("site", "north"))


@pytest.fixture(scope="module")
def made(quick: None, spots: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, verb.Transfer]:
    out = tmp_path_factory.mktemp("grid") / "grid"
    return out, verb.transfer(spots, out, keep=True, **HOW)


def test_labels_are_hidden_by_patient_and_the_fewer_are_among_the_more(job: Setting) -> None:
    def kept(level: Level, seed: int = 0) -> set[str]:
        cohort = job.labelled(level, seed)
        assert all("class" in c.targets for c in cohort.cases)
        return {c.id for c in cohort.cases} - set(job.test)

    few, some, all_of_them = (kept(Level(share=s)) for s in (0.3, 0.6, 1.0))
    assert few < some < all_of_them == set(job.learned)
    assert kept(Level(count=8)) < kept(Level(count=16)) and len(kept(Level(count=8))) == 8
    whose = {c.id: c.patient for c in job.cohort.cases}
    for level in (Level(share=0.3), Level(count=8)):
        ids = kept(level, 1)
        assert all(other in ids for other in job.learned for one in ids if whose[one] == whose[other])
    assert kept(Level(count=8), 1) != kept(Level(count=8))
    with_others = job.labelled(Level(count=8), 0, unlabelled=True)
    assert {c.id for c in with_others.cases} == set(job.learned) | set(job.test)


def test_pre_training_sees_no_test_case_no_shifted_case_and_no_label(job: Setting) -> None:
    seen = {c.id for c in job.pictures.cases}
    assert seen == set(job.learned) and not seen & set(job.test)
    assert not seen & {c.id for c in job.shifted} and {c.covariates["site"] for c in job.shifted} == {"north"}
    assert all(not c.targets for c in job.pictures.cases) and not job.pictures.targets
    patients = {c.patient for c in job.pictures.cases}
    assert not patients & {c.patient for c in job.shifted}
    tested = {c.patient for c in job.cohort.cases if c.id in set(job.test)}
    assert not patients & tested


def test_every_fit_is_tested_on_the_same_cases_and_learns_from_the_same_labels(
    made: tuple[Path, verb.Transfer],
) -> None:
    out, found = made
    for file, n in (("test.json", found.tests[0].n_cases), ("shifted.json", found.tests[1].n_cases)):
        cards = [load_scorecard(p) for p in sorted(out.glob(f"cells/*/{file}"))]
        assert len(cards) == 4 and len({tuple(sorted(str(c["case"]) for c in k.cases)) for k in cards}) == 1
        assert {len(card.cases) for card in cards} == {n}
    assert [t.name for t in found.tests] == ["test", "site=north"]
    tested = json.loads((out / "grid.json").read_text())["test"]
    assert len(tested) == found.tests[0].n_cases
    for count in (8, 16):
        folds = [
            json.loads((out / "cells" / f"{arm}-{count}-seed-0" / "run" / "folds.json").read_text())
            for arm in ("nothing", "self")
        ]
        assert folds[0]["folds"] == folds[1]["folds"], "arms validate on the same cases"
        assert {*folds[0]["test"]} == {*tested} and not {*tested} & {c for f in folds[0]["folds"] for c in f}
    before = json.loads((out / "cells" / "pretrain-self-seed-0" / "run" / "folds.json").read_text())
    assert not before["test"] and not {*tested} & {c for f in before["folds"] for c in f}


def test_the_table_says_what_was_measured(made: tuple[Path, verb.Transfer]) -> None:
    out, found = made
    assert (found.metric, found.against, found.called, found.net) == ("auc", "nothing", "AUC", "cnn")
    assert [(x.test, x.labels, x.arm) for x in found.lines] == [
        (test, f"{count} labels", arm)
        for test in ("test", "site=north")
        for count in (16, 8)
        for arm in ("nothing", "self", "lost")
    ]
    done = [x for x in found.lines if x.arm != "lost"]
    assert {x.seeds for x in done} == {(0,)} and [x.n_labels for x in done][:4] == [16.0, 16.0, 8.0, 8.0]
    assert all(x.n_patients == x.n_labels / 2 for x in done if x.n_labels)
    assert all(x.steps == 2 and x.seconds and x.seconds > 0 for x in done)
    assert [bool(x.before_s) for x in done[:2]] == [False, True]
    assert {x.verdict for x in done if x.arm == "nothing"} == {"held against"}
    nothing, other = done[:2]
    assert nothing.difference is None and other.difference is not None
    change = (other.figure.value or 0) - (nothing.figure.value or 0)
    assert other.difference.value == pytest.approx(change)
    assert load(out).lines == found.lines and load(out).verdicts == found.verdicts
    rows = list(csv.DictReader((out / "transfer.csv").open()))
    assert len(rows) == 12 and float(rows[0]["value"]) == pytest.approx(found.lines[0].figure.value)
    page = (out / "transfer.html").read_text()
    assert page.count("<svg") == 2 and "Split: " in page and verb.ONE_SEED in page


def test_an_arm_whose_weights_are_not_there_fails_alone(made: tuple[Path, verb.Transfer]) -> None:
    _, found = made
    failed = [x for x in found.lines if x.arm == "lost"]
    assert all(x.figure.value is None and "no-such-weights" in x.reason and not x.verdict for x in failed)
    assert any("2 cells failed (lost-16-seed-0, lost-8-seed-0): " in note for note in found.notes)
    assert "lost weights, on test: not known at 16 labels, 8 labels" in found.verdicts
    page = drawn_page(found)
    assert page.count("<summary>no figure</summary>unknown weights") == len(failed)
    assert "<strong>unknown weights" not in page
    unhelpful = replace(found, lines=tuple(x for x in found.lines if x.verdict != BETTER))
    assert 'class="verdict open"' in drawn_page(unhelpful), "green is for what is better"


def test_what_is_finished_is_not_done_again_and_more_can_be_asked(
    made: tuple[Path, verb.Transfer], spots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, found = made
    before = {p: p.stat().st_mtime_ns for p in out.glob("cells/*/result.json")}
    calls: list[str] = []

    def counted(*args: Any, **how: Any) -> Any:
        calls.append(args[1].parent.name)
        return vs.fit(*args, **how)

    monkeypatch.setattr(verb, "fit", counted)
    again = verb.transfer(spots, out, **HOW)
    assert again.lines == found.lines and {c.partition("-")[0] for c in calls} == {"lost"}, (
        "what failed is tried"
    )
    calls.clear()
    more = verb.transfer(spots, out, **{**HOW, "counts": (8,), "seeds": (0, 1), "arms": ("nothing",)})
    assert calls == ["nothing-8-seed-1"] and {x.seeds for x in more.lines} == {(0, 1)}
    assert not (out / "cells" / "nothing-8-seed-1" / "run").exists(), (
        "a run is tidied away where it is not kept"
    )
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())
    with pytest.raises(OutputError, match="another settings"):
        verb.transfer(spots, out, **{**HOW, "settings": {**TINY, "train.steps": 3}})


def test_the_verdict_follows_the_interval(made: tuple[Path, verb.Transfer]) -> None:
    _, found = made
    line = next(x for x in found.lines if x.difference is not None)
    assert line.difference is not None
    at = replace(line.difference, value=0.1, low=-0.02, high=0.2)
    unhelpful = replace(line, difference=at, verdict=UNHELPFUL)
    assert unhelpful.sentence == "did not help here: +0.100 (−0.020 to +0.200), and the interval holds 0"
    helped = replace(line, difference=replace(at, low=0.01), verdict=BETTER)
    assert helped.sentence == "better: +0.100 (+0.010 to +0.200)"
    told = replace(found, lines=(helped,), tests=found.tests[:1]).verdicts
    three = (found.lines[0], helped, unhelpful)
    assert replace(found, lines=three).headline == (
        "1 of 2 comparisons with from nothing is better, 0 worse, 1 did not help"
    )
    assert told == ("self-supervised: better at 16 labels",)


def test_arms_and_numbers_of_labels_are_told_in_words() -> None:
    assert [a.name for a in chosen(None, "mobilenetv2-imagenet")] == ["nothing", "weights", "self", "both"]
    assert [a.name for a in chosen(["self"], None)] == ["nothing", "self"], "something is held against"
    with pytest.raises(UnknownName, match="unknown arm: 'slef'|unknown arm 'slef'|'slef'.*closest: self"):
        chosen(["slef"], None)
    assert [x.words for x in levels((0.1, 1), None)] == ["100 %", "10 %"]
    assert [x.name for x in levels(None, (20, 500))] == ["500", "20"]
    with pytest.raises(vs.DataError, match="in shares or in counts"):
        levels((0.1,), (20,))
    with pytest.raises(vs.DataError, match="above 0 and up to 1"):
        levels((1.5,), None)


def test_a_shift_that_nobody_is_of_is_refused(spots: Path, tmp_path: Path) -> None:
    for shift, words in (({"site": "east"}, "value of column 'site'"), ({"scaner": "B"}, "unknown column")):
        with pytest.raises(UnknownName, match=words):
            verb.transfer(spots, tmp_path / "grid", **{**HOW, "shift": shift})
    assert not (tmp_path / "grid").exists()


def test_a_figure_that_no_answer_has_is_refused_before_anything_is_trained(
    spots: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnknownName, match="unknown figure 'acuracy'.*closest: accuracy"):
        verb.transfer(spots, tmp_path / "grid", **{**HOW, "metric": "acuracy"})
    assert not (tmp_path / "grid").exists()


def test_misspelt_weights_are_refused_before_anything_is_trained(spots: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="closest: mobilenetv2-imagenet"):
        verb.transfer(
            spots,
            tmp_path / "grid",
            init="mobilnetv2-imagenet",
            arms=("weights",),
            settings=TINY,
            progress=False,
        )
    assert not (tmp_path / "grid").exists()


def test_the_command_line_gives_a_table_or_a_document(
    made: tuple[Path, verb.Transfer],
    spots: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import jsonschema_rs

    from vesalius.cli._outcome import schema

    out, found = made
    given: list[dict[str, Any]] = []

    def stand_in(*args: Any, **how: Any) -> verb.Transfer:
        given.append(how)
        return found

    monkeypatch.setattr(verb, "transfer", stand_in)
    words = [
        "transfer",
        str(spots),
        "-o",
        str(out),
        "--counts",
        "8,16",
        "--seeds",
        "0,1",
        "--arms",
        "nothing,self",
    ]
    monkeypatch.setattr(sys, "argv", ["vesalius", *words, "--shift", "site=north", "--set", "train.steps=2"])
    cli.main()
    said = capsys.readouterr().out
    assert "lost weights, on test: not known" in said.replace("\n", " ")
    assert given[0]["counts"] == [8, 16] and given[0]["arms"] == ["nothing", "self"]
    assert given[0]["shift"] == {"site": "north"} and given[0]["time_limit"] == "90s"
    monkeypatch.setattr(sys, "argv", ["vesalius", *words, "--json"])
    cli.main()
    document = json.loads(capsys.readouterr().out)
    jsonschema_rs.validator_for(schema()).validate(document)
    assert len(document["result"]["transfer"]["lines"]) == 12
    monkeypatch.setattr(sys, "argv", ["vesalius", "transfer", str(spots), "--counts", "many"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2 and "--counts takes whole numbers" in capsys.readouterr().err
