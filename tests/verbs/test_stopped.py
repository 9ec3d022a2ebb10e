"""Ctrl-C on the command line: exit code 130 and one word of what is kept, in every verb."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vesalius as vs
from vesalius import cli
from vesalius.deidentify import run
from vesalius.run import reporting
from vesalius.verbs import inspect as inspecting

Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """The exit code and the last words of the command line."""

    def words(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["vesalius", *map(str, arguments)])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as error:
            code = error.code
        return code, capsys.readouterr().err

    return words


def pressed(*arguments: Any, **options: Any) -> Any:
    """What stands in for work in the middle of which somebody presses Ctrl-C."""
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vs.phantom(tmp_path_factory.mktemp("phantom") / "clinic", cases=4)


def test_inspect_says_that_nothing_was_written(
    said: Said, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspecting, "look", pressed)
    page = tmp_path / "page.html"
    assert said("inspect", data, "--html", page) == (130, "vesalius: interrupted; nothing was written\n")
    assert not page.exists()


def test_evaluate_leaves_nothing_of_its_folder(
    said: Said, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(card: Any, folder: Path, **others: Any) -> None:
        (folder / "report.html").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(reporting, "write_evaluation", half)
    code, words = said("evaluate", data / "labelsTr", data, "-o", tmp_path / "out", "--split", "all")
    assert code == 130 and words.endswith("vesalius: interrupted; nothing was written\n")
    assert not (tmp_path / "out").exists()


def test_deidentify_says_what_is_kept_and_how_to_go_on(
    said: Said, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, count, whole = run._one, 0, tmp_path / "whole"
    out = tmp_path / "a folder"

    def some(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return pressed() if count == 4 else before(*arguments)

    with monkeypatch.context() as here:
        here.setattr(run, "_one", some)
        code, words = said("deidentify", data / "imagesTr", out, "--key", tmp_path / "k")
    assert code == 130 and "vesalius: interrupted; 3 files are written, each whole\n" in words
    hint = words.splitlines()[-1].removeprefix("go on with: ")
    assert said(*shlex.split(hint)[1:])[0] == 0
    assert said("deidentify", data / "imagesTr", whole, "--key", tmp_path / "k")[0] == 0
    assert {p.name: p.read_bytes() for p in out.rglob("*.gz")} == {
        p.name: p.read_bytes() for p in whole.rglob("*.gz")
    }


def test_where_there_is_no_more_to_say_it_says_that_much(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vesalius.verbs.phantom.phantom", pressed)
    assert said("phantom", tmp_path / "out") == (130, "vesalius: interrupted\n")
