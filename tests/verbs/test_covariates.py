"""Covariates reach predict by option, table and Python; a bundle that needs one that is not given says which."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import vesalius as vs
from vesalius import formats
from vesalius.cli import app
from vesalius.core.bundle import Bundle, State, open_bundle, save_bundle
from vesalius.core.errors import DataError
from vesalius.infer.predictor import Predictor


@pytest.fixture(scope="module")
def needing(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle of pictures, of a task that cannot do without an age."""
    import shutil
    from dataclasses import replace

    folder = shutil.copytree(pictures.bundle, tmp_path_factory.mktemp("needing") / "bundle")
    opened = open_bundle(folder)
    (stage,) = opened.stages
    state = State(
        {**stage.state.values, "covariates": {"age": {"mean": 60.0, "sd": 10.0}}}, stage.state.arrays
    )
    return save_bundle(
        folder,
        (replace(stage, state=state),),
        data_hash=opened.data_hash,
        made_by="a test",
        learned=opened.learned,
    )


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The covariates of each case that a predictor was asked about."""
    found: list[dict[str, Any]] = []
    own = Predictor.__call__

    def call(self: Predictor, case: Any, **more: Any) -> Any:
        found.append(dict(case.covariates))
        return own(self, case, **more)

    monkeypatch.setattr(Predictor, "__call__", call)
    return found


def one_of(pictures: Any) -> Path:
    found: Path = sorted(pictures.data.rglob("*.png"))[0] if pictures.data.is_dir() else pictures.data
    return sorted(found.parent.rglob("*.png"))[0] if found.suffix == ".csv" else found


def test_what_is_needed_and_not_given_is_named_in_one_line(
    needing: Bundle, pictures: Any, tmp_path: Path
) -> None:
    picture = one_of(pictures)
    with pytest.raises(DataError, match="needs the covariate 'age'"):
        vs.predict(needing, picture)
    done = CliRunner().invoke(app, ["predict", str(needing.path), str(picture), "-o", str(tmp_path / "out")])
    assert isinstance(done.exception, DataError)
    assert "\n" not in str(done.exception) and "--covariate age=VALUE" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_an_option_reaches_every_case_as_number_or_word(
    needing: Bundle, pictures: Any, tmp_path: Path, seen: list[dict[str, Any]]
) -> None:
    out = tmp_path / "out"
    words = ["--covariate", "age=61", "--covariate", "sex=F", "--device", "cpu"]
    done = CliRunner().invoke(
        app, ["predict", str(needing.path), str(one_of(pictures)), "-o", str(out), *words]
    )
    assert done.exit_code == 0, done.output
    assert seen == [{"age": 61.0, "sex": "F"}]
    answer = vs.predict(needing, one_of(pictures), covariates={"age": 61}, device="cpu")
    assert answer.bundle == needing.hash


def test_a_tables_columns_are_covariates_and_one_case_without_is_set_aside(
    needing: Bundle, pictures: Any, tmp_path: Path, seen: list[dict[str, Any]]
) -> None:
    picture = formats.read(one_of(pictures))
    for k in range(4):
        formats.write(picture, tmp_path / f"p{k}.png")
    ages = ["61", "62.5", "", "64"]
    renamed = [{"image": f"p{k}.png", "age": a} for k, a in enumerate(ages)]
    with (tmp_path / "named.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["image", "age"])
        writer.writeheader()
        writer.writerows(renamed)
    done = vs.predict(
        needing, tmp_path / "named.csv", tmp_path / "out", columns={"covariate": "age"}, device="cpu"
    )
    assert len(done.case_ids) == 3 and [s.case for s in done.set_aside] == ["p2"]
    assert "needs the covariate 'age'" in done.set_aside[0].reason
    assert [s["age"] for s in seen if s["age"] is not None] == [61.0, 62.5, 64.0]


def test_resumed_it_knows_what_it_was_told(needing: Bundle, pictures: Any, tmp_path: Path) -> None:
    from vesalius.run.ledger import MARK

    out = tmp_path / "out"
    vs.predict(needing, one_of(pictures), out, covariates={"age": 61}, device="cpu")
    about = {"bundle": needing.hash, "covariates": {"age": 61}}
    (out / MARK).write_text(json.dumps(about), encoding="utf-8")
    again = vs.predict(needing, one_of(pictures), out, resume=True, device="cpu")
    assert len(again.case_ids) == 1


def test_each_image_is_decoded_once(pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, decoded = formats.read, []

    def counting(ref: Any) -> Any:
        decoded.append(str(ref))
        return read(ref)

    monkeypatch.setattr(formats, "read", counting)
    vs.predict(pictures.bundle, one_of(pictures), tmp_path / "out", overlays=True, json=True, device="cpu")
    assert len(decoded) == 1


class Heard:
    """Progress of which only the notes are kept."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.note = self.notes.append

    def start(self, name: str, total: int | None = None) -> None: ...

    def advance(self, name: str, done: int = 1, text: str = "") -> None: ...

    def finish(self, name: str) -> None: ...


def test_covariates_that_a_bundle_does_not_take_are_named(
    needing: Bundle, pictures: Any, tmp_path: Path
) -> None:
    heard, picture = Heard(), one_of(pictures)
    vs.predict(needing, picture, covariates={"age": 61, "agee": 7}, device="cpu", progress=heard)
    vs.predict(pictures.bundle, picture, covariates={"age": 61, "sex": "F"}, device="cpu", progress=heard)
    one, none = heard.notes
    assert one == f"passed over: the covariate agee, as the bundle '{needing.name}' learned from only age"
    assert none.endswith("learned from no covariates") and "covariates age, sex" in none
    quiet = Heard()
    vs.predict(needing, picture, covariates={"age": 61}, device="cpu", progress=quiet)
    assert quiet.notes == []
