"""What an engineer asks of a run: the command that makes it again, and durations as people say them."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius.core.plan import load_plan, override
from vesalius.core.scorecard import Banner
from vesalius.evaluate.banners import TRAINING
from vesalius.run.engineering import command, facts, lasting
from vesalius.run.members import Outcome
from vesalius.run.reporting import _remarks


def test_the_command_has_all_that_somebody_set(volumes: Any, tmp_path: Path) -> None:
    plan = override(
        load_plan(volumes.path / "plan.json"),
        {"train.steps": 7, "data.size": [1, 32, 32], "net.name": "unet"},
    )
    told: dict[str, Any] = {
        "data": "my data.csv", "seed": 3, "time_limit": "10m", "columns": {"label": "a,b"}, "labels": {"7": "liver"},
        "layout": None, "split": None, "init": None,
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(told))
    words = shlex.split(command(tmp_path, plan))
    assert words[:3] == ["vesalius", "fit", "my data.csv"]
    given = list(zip(words[3::2], words[4::2], strict=True))  # every option with its value
    for pair in (
        ("--seed", "3"), ("--time-limit", "10m"), ("--column", "label=a,b"), ("--labels", "7=liver"),
        ("--set", "train.steps=7"), ("--set", "data.size=[1,32,32]"), ("--set", "net.name=unet"),
    ):  # fmt: skip
        assert pair in given
    assert command(tmp_path / "elsewhere", plan) == ""


def test_facts_say_how_long_and_on_what(tmp_path: Path) -> None:
    assert [lasting(s) for s in (12.4, 200, 7500)] == ["12 s", "3 min 20 s", "2 h 5 min"]
    found = facts(tmp_path, ())
    assert found["version"].startswith("Vesalius ") and "cores in use" in found["processor"]
    assert "duration" not in found  # no clock was kept there


def test_what_the_clock_took_is_a_remark_unless_a_banner_says_it(volumes: Any) -> None:
    card = volumes.run.scorecard
    plain = replace(card, banners=())
    shortened = Outcome(trained=(), kept=(0,), held_out={}, ran_out=False, steps=((70, 100),))
    (remark,) = _remarks(shortened, plain)
    assert "shortened the training" in remark and "70 of 100" in remark
    assert _remarks(replace(shortened, steps=((100, 100),)), plain) == []
    assert _remarks(shortened, replace(card, banners=(Banner(TRAINING, "It was hardly trained."),))) == []
