"""card: a run's card with the maker's word, whole or not at all; what was measured is so; no patient is in it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import vesalius as vs
from vesalius.core.bundle import open_bundle, save_bundle
from vesalius.core.errors import DataError, OutputError, PlanError
from vesalius.core.scorecard import load_scorecard
from vesalius.evaluate.cards.known import RECORD, known_of, weights_hash
from vesalius.evaluate.own_card import is_of, own_scorecard
from vesalius.run.measuring import static_cost
from vesalius.run.speed import RECORDED, SPEED

FILES = {"card.html", "card.json", "card.md", "checklists.md", "decision.html", "decision.json"}


@pytest.fixture(scope="module")
def said(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    """A run whose maker said something, from a file, when it began; resumed without being told again."""
    root = tmp_path_factory.mktemp("said")
    (root / "about.yaml").write_text("intended_use: To sort what was PLANTED-free.\nmaker: Us\n")
    settings = {
        "net.scale": 0.125,
        "train.threads": 1,
        "train.members": 1,
        "train.batch": 4,
        "data.size": [1, 32, 32],
    }
    run = vs.fit(
        pictures.data,
        root / "run",
        settings={**settings, "train.steps": 4},
        seed=3,
        about=root / "about.yaml",
    )
    (root / "about.yaml").unlink()
    assert run.path is not None
    (run.path / "scorecard.json").unlink()
    (run.path / "bundle" / "MANIFEST.sha256").unlink()
    return vs.fit(pictures.data, run.path, resume=True)


def test_what_the_maker_says_at_fit_is_in_the_bundle_the_card_and_the_report(said: Any) -> None:
    stage = said.bundle.stages[-1]
    assert stage.extras[RECORD].values["about"]["maker"] == "Us"
    for name in ("card.md", "report.html", "bundle/card.md"):
        text = (said.path / name).read_text(encoding="utf-8")
        assert "To sort what was PLANTED-free." in text and "stated by the maker" in text
    page = (said.path / "report.html").read_text(encoding="utf-8")
    for part in ("use", "model-card", "checklists", "changes"):
        assert f'<section id="{part}">' in page


def test_a_mistake_in_what_the_maker_says_ends_before_anything_is_read(pictures: Any, tmp_path: Path) -> None:
    (tmp_path / "about.yaml").write_text("makre: Us\n")
    with pytest.raises(PlanError, match="line 1: unknown key 'makre'"):
        vs.fit(pictures.data, tmp_path / "run", about=tmp_path / "about.yaml")
    assert not (tmp_path / "run").exists()


def test_one_model_flat_several_each_in_a_folder(pictures: Any, volumes: Any, tmp_path: Path) -> None:
    found = vs.card(pictures.run, tmp_path / "one")
    assert {p.name for p in (tmp_path / "one").iterdir()} == FILES and list(found.cards) == ["run"]
    two = vs.card([pictures.path, volumes.path], tmp_path / "two")
    assert {p.name for p in (tmp_path / "two").iterdir()} == {
        "run",
        "run-2",
        "decision.html",
        "decision.json",
    }
    assert {p.name for p in (tmp_path / "two" / "run-2").iterdir()} == FILES - {
        "decision.html",
        "decision.json",
    }
    assert two.decision.chosen == "" and "no figure in common" in two.decision.advice
    assert "run" in repr(two) and "open entries" in repr(two)
    assert found.show(tmp_path / "shown.html") and "Model details" in (tmp_path / "shown.html").read_text()


def test_no_name_of_a_patient_a_file_or_a_place_is_in_a_card(pictures: Any, tmp_path: Path) -> None:
    vs.card(pictures.run, tmp_path / "cards", data=pictures.data, cases=2)
    for file in (tmp_path / "cards").iterdir():
        data = file.read_bytes().lower()
        for text in (
            b"PLANTED",
            b"DOE^",
            b"PATIENT^",
            str(pictures.path.parent).encode(),
            b"/tmp/",
            b"/home/",
        ):
            assert text.lower() not in data, f"{text!r} in {file.name}"


def test_the_card_says_what_the_run_knows(pictures: Any) -> None:
    (card,) = vs.card(pictures.run).cards.values()
    entries = {(s.key, e.name): e for s in card.sections for e in s.entries}
    space = {
        "cases": "12",
        "trained on": "10 cases in 3 folds",
        "tested on": "2 cases",
        "divided": "by patient, seed 3",
    }
    for name, text in space.items():
        assert entries["training", name].text == text
    assert entries["details", "hash of the bundle"].text == pictures.run.bundle.hash[:16]
    assert entries["details", "hash of the data"].text == pictures.run.bundle.data_hash[:16]
    claim = {i.number: i for c in card.checklists if c.name == "claim" for i in c.items}
    assert claim["20"].state == "filled" and "the patient" in claim["20"].text
    assert claim["24"].text == "random weights" and claim["31"].text.startswith("known: gradcam")


def test_parameters_and_bytes_are_those_of_the_files(pictures: Any) -> None:
    cost = static_cost(pictures.run.bundle)
    state = pictures.run.bundle.torch().members[0].state_dict()
    assert cost.parameters == sum(v.numel() for v in state.values())
    assert cost.size_bytes == sum(p.stat().st_size for p in pictures.bundle.iterdir())


def test_what_a_case_takes_is_measured_where_cases_are_given(pictures: Any) -> None:
    cost = vs.card(pictures.run, data=pictures.data, cases=3).decision.candidates[0].cost
    assert cost.seconds is not None and cost.seconds.n == 3 and 0 < cost.seconds.low <= cost.seconds.median
    assert cost.memory_bytes is not None and cost.energy is not None and cost.energy.joules > 0
    assert cost.macs_of == "a case" and cost.macs
    views = 1 + len(pictures.run.plan.infer.mirror)
    bare = vs.card(pictures.run).decision.candidates[0].cost
    assert bare.macs_of.startswith("one pass") and bare.macs == cost.macs, (
        f"whole images, {views} views both times"
    )


def test_multiply_adds_are_those_counted_by_hand() -> None:
    """A convolution of 3 × 3 from 2 to 5 channels over 8 × 8: 8·8·5·2·9 products; a dense layer of 10 to 4: 40."""
    from torch.utils.flop_counter import FlopCounterMode

    from vesalius.run.measuring import _macs

    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        torch.nn.Conv2d(2, 5, 3, padding=1)(torch.zeros(1, 2, 8, 8))
        torch.nn.Linear(10, 4)(torch.zeros(1, 10))
    assert _macs(counter) == 8 * 8 * 5 * 2 * 9 + 40


def test_without_cases_the_seconds_are_the_runs_and_said_to_be(pictures: Any, tmp_path: Path) -> None:
    cost = vs.card(pictures.run).decision.candidates[0].cost
    kept = json.loads((pictures.path / SPEED).read_text())
    assert cost.how == RECORDED and cost.seconds is not None and cost.seconds.n == len(kept["seconds"]) - 1
    assert cost.memory_bytes is None and cost.energy is None
    assert "seconds a case" in (pictures.path / "report.html").read_text(encoding="utf-8")
    alone = tmp_path / "alone"
    shutil.copytree(pictures.bundle, alone)
    assert vs.card(alone).decision.candidates[0].cost.seconds is None, "a bundle on its own does not know"
    (tmp_path / SPEED).write_text(json.dumps({**kept, "weights": "0" * 64}))
    assert vs.card(alone).decision.candidates[0].cost.seconds is None, "and another model's are not its own"


def test_a_scorecard_is_matched_to_its_model_and_another_ones_is_refused(
    pictures: Any, said: Any, tmp_path: Path
) -> None:
    vs.evaluate(pictures.run, pictures.data, tmp_path / "eval", split="train")
    found = vs.card([pictures.run, said], scorecards=[tmp_path / "eval"])
    splits = [c.card.split for c in found.decision.candidates if c.card is not None]
    assert splits[0] == "train" and splits[1] == "test"
    assert any("learned from" in reason for reason in found.decision.reasons)
    with pytest.raises(DataError, match="measured on none of these models"):
        vs.card(said, scorecards=[tmp_path / "eval"])


def test_a_changed_model_does_not_keep_the_figures_of_the_old_one(pictures: Any, tmp_path: Path) -> None:
    """A copy with another calibration, as `calibrate` writes one, and the old scorecard still in it."""
    copy = tmp_path / "copy"
    shutil.copytree(pictures.bundle, copy)
    bundle = open_bundle(copy)
    last = replace(bundle.stages[-1], calibration={"temperature": 9.0})
    texts = {"scorecard.json": (copy / "scorecard.json").read_text(), "card.md": "old"}
    changed = save_bundle(
        copy, (last,), data_hash=bundle.data_hash, made_by=bundle.made_by, learned=bundle.learned, texts=texts
    )
    assert own_scorecard(pictures.run.bundle) is not None and own_scorecard(changed) is None
    assert is_of(load_scorecard(pictures.bundle / "scorecard.json"), pictures.run.bundle)
    (card,) = vs.card(changed).cards.values()
    assert "has not been evaluated" in card.markdown()
    assert known_of(changed).data["cases"] == "12", "how it was made is kept with its stage"
    assert weights_hash(changed) == weights_hash(pictures.run.bundle)


def test_a_bundle_of_before_has_a_card_that_leaves_more_open(pictures: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(pictures.bundle, copy)
    bundle = open_bundle(copy)
    last = replace(bundle.stages[-1], extras={})
    bare = save_bundle(copy, (last,), data_hash=bundle.data_hash, made_by="vesalius 0.0", learned=None)
    (card,) = vs.card(bare).cards.values()
    assert card.open > next(iter(vs.card(pictures.run).cards.values())).open
    assert "how many cases and patients it learned from" in card.markdown()


def test_nothing_is_left_where_it_fails(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vesalius.verbs import card as verb

    monkeypatch.setattr(verb, "decide", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        vs.card(pictures.run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(OutputError, match="not empty"):
        vs.card(pictures.run, tmp_path / "full")
    with pytest.raises(DataError, match="no model is given"):
        vs.card([])
    with pytest.raises(DataError, match="of one model"):
        vs.card([pictures.run, pictures.run], about={"maker": "Us"})


def test_a_case_that_cannot_be_answered_is_left_out_and_said(pictures: Any, tmp_path: Path) -> None:
    files = sorted(pictures.data.parent.rglob("*.png"))[:2]
    (tmp_path / "data").mkdir()
    for k, file in enumerate(files):
        shutil.copy(file, tmp_path / "data" / f"{k}.png")
    (tmp_path / "data" / "9.png").write_bytes(files[0].read_bytes()[:80])
    cost = vs.card(pictures.run, data=tmp_path / "data", cases=3).decision.candidates[0].cost
    assert cost.seconds is not None and cost.seconds.n == 2 and "1 case could not be answered" in cost.how
    assert cost.energy is None, "the energy of a case that failed is in it"
