"""vs.find_lr: training cases alone, nothing kept, and a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import vesalius as vs
from vesalius import cli, cohorts
from vesalius.core.errors import OutputError, PlanError
from vesalius.verbs import find_lr as room

SMALL = {"net.scale": 0.125, "data.size": [1, 32, 32], "train.batch": 4, "train.threads": 1}


def test_only_cases_of_training_are_used_and_nothing_is_written(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    used: list[str] = []
    inner = room.sweep

    def spy(task: Any, plan: Any, state: Any, examples: Any, **how: Any) -> Any:
        used.extend(e.case_id for e in examples)
        return inner(task, plan, state, examples, **how)

    monkeypatch.setattr(room, "sweep", spy)
    found = vs.find_lr(pictures.data, settings=SMALL, seed=3, steps=40, low=1e-5)
    folds = cohorts.load_assignment(pictures.path / "folds.json")
    assert sorted(used) == sorted(folds.training(0))
    assert not list(tmp_path.iterdir())
    assert len(found.rates) == len(found.losses) <= 40 and found.plan.train.lr == 3e-3
    assert found.reason and "suggested rate" in str(found)
    assert found._repr_html_().count("<svg") == 1 and len(repr(found)) < 80
    page, picture = tmp_path / "lr.html", tmp_path / "shown.png"
    assert found.show(page) == page and page.read_text().count("<svg") == 1
    assert found.show(picture) == picture and picture.read_bytes().startswith(b"\x89PNG")
    assert "40 steps are few" in found.reason or found.suggestion is None
    found.write(tmp_path / "lr.png")
    assert (tmp_path / "lr.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        found.write(tmp_path / "lr.png")
    with pytest.raises(OutputError, match="cannot be written as '.gif'"):
        found.write(tmp_path / "lr.gif")
    with pytest.raises(PlanError, match="20 steps or more"):
        vs.find_lr(pictures.data, steps=3)


def test_the_command_says_what_to_use(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [w for k, v in SMALL.items() for w in ("--set", f"{k}={v}".replace(" ", ""))]
    command = [
        "vesalius",
        "find-lr",
        str(pictures.data),
        "-o",
        str(tmp_path / "lr.svg"),
        *words,
        "--steps",
        "20",
    ]
    monkeypatch.setattr(sys, "argv", command)
    cli.main()
    said = capsys.readouterr().out
    assert "planned    0.003" in said and "suggested  " in said and "picture    " in said
    assert (tmp_path / "lr.svg").read_text().count("<svg") == 1
    with pytest.raises(OutputError, match="nothing is overwritten"):
        room.assert_writable(tmp_path / "lr.svg")
