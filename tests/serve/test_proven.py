"""Bundles are tested before a service or a node listens: one that fails is refused, one without a record is noted."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from _bundles import classifier, segmenter
from typer.testing import CliRunner

from vesalius.cli import app
from vesalius.core.errors import BundleError
from vesalius.core.progress import Silent
from vesalius.core.sealed import seal
from vesalius.infer.selftest.recording import recorded
from vesalius.serve.http import server
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.schemas import ModelBody
from vesalius.serve.models import open_models
from vesalius.serve.node import run
from vesalius.serve.node.settings import load


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two bundles with a self-test."""
    root = tmp_path_factory.mktemp("sound")
    return {b.path.name: recorded(b).path for b in (classifier(root / "chest"), segmenter(root / "organs"))}


@pytest.fixture
def broken(sound: dict[str, Path], tmp_path: Path) -> Path:
    """A bundle that was recorded to answer otherwise, as if this machine computed wrongly."""
    path = shutil.copytree(sound["chest"], tmp_path / "broken")
    values = json.loads((path / "selftest-0.json").read_text())
    mark = next(m for m in values["inputs"][0]["marks"] if m["name"] == "probability of lesion")
    mark["value"] += 0.01
    (path / "selftest-0.json").write_text(json.dumps(values))
    seal(path)
    return path


class Notes(Silent):
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        """Keep a line."""
        self.said.append(text)


def test_models_tell_how_their_self_test_went(sound: dict[str, Path]) -> None:
    made = Catalogue(list(sound.values()), ["cpu", "cpu"])
    for model in made.by_name.values():
        told = ModelBody.model_validate(model.body()).selftest
        assert told.outcome == "passed" and told.inputs == 2 and told.seconds > 0 and model.doubt is None
        assert told.largest is not None and told.largest < 0.05


def test_a_bundle_that_fails_is_refused_in_one_line(broken: Path, sound: dict[str, Path]) -> None:
    with pytest.raises(
        BundleError, match=r"does not answer here as it did.*probability of lesion is .*, not "
    ):
        open_models({"a": sound["organs"], "b": broken}, devices=["cpu"])
    done = CliRunner().invoke(app, ["serve", str(broken), "--port", "0"])
    assert isinstance(done.exception, BundleError) and done.exception.exit_code == 2
    assert "--without-selftest" in str(done.exception) and "\n" not in str(done.exception)


def test_it_is_served_all_the_same_where_that_is_asked_for(broken: Path) -> None:
    made = Catalogue([broken], ["cpu"], selftest=False).get("broken")
    assert made.about["selftest"]["outcome"] == "skipped" and "skipped" in str(made.doubt)


def test_the_flag_reaches_the_service(broken: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Started(Exception):
        pass

    def stop(self: Any, sockets: Any = None) -> None:
        raise Started

    monkeypatch.setattr(server._Server, "run", stop)
    notes = Notes()
    with pytest.raises(Started):
        server.run_service(
            [broken], port=0, audit=tmp_path / "a.jsonl", devices=["cpu"], selftest=False, progress=notes
        )
    assert any("broken: self-test skipped" in text for text in notes.said)
    words = ["serve", str(broken), "--port", "0", "--audit", str(tmp_path / "b.jsonl"), "--without-selftest"]
    assert isinstance(CliRunner().invoke(app, words).exception, Started)


def test_a_bundle_without_a_record_is_noted(bundles: dict[str, Path]) -> None:
    made = Catalogue([bundles["chest"]], ["cpu"]).get("chest")
    assert made.about["selftest"] == {
        "outcome": "absent", "why": made.selftest.why, "seconds": 0.0, "inputs": 0, "largest": None,
    }  # fmt: skip
    assert str(made.doubt).startswith("chest: self-test absent")


def test_a_node_tests_its_bundles_too(broken: Path, tmp_path: Path) -> None:
    settings = tmp_path / "node.yaml"
    there = "destinations: {out: {host: 127.0.0.1, port: 11113, aet: PACS}}"
    text = f"port: 0\nstore: store\n{there}\nrules: [{{bundle: {broken}, destination: out}}]\n"
    settings.write_text(text)
    with pytest.raises(BundleError, match="selftest: false"):
        run.run_node(load(settings), progress=Notes(), stop=threading.Event())
    settings.write_text(text + "selftest: false\n")
    notes, stop = Notes(), threading.Event()
    assert run.run_node(load(settings), progress=notes, stop=stop, ready=lambda port: stop.set())
    assert any("self-test skipped" in said for said in notes.said)
