"""The options that every long verb shares: where they stand, what they end in, and what `--json` says of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import typer

from vesalius import cli
from vesalius.cli import _outcome, app
from vesalius.core.registry import KINDS, exists, plural

SHARED = {"--time-limit", "--memory-limit", "--energy-limit", "--carbon-intensity", "--price-kwh"}
AT_ONCE = {"weights", "serve", *(plural(kind) for kind in KINDS if exists(kind))}
SCHEMA = jsonschema_rs.validator_for(_outcome.schema())


def options(name: str) -> list[str]:
    group: Any = typer.main.get_command(app)
    return [o for p in group.commands[name].params for o in p.opts]


@pytest.mark.parametrize("name", sorted(c.name for c in app.registered_commands if c.name and not c.hidden))
def test_every_long_verb_has_each_of_them_once(name: str) -> None:
    found = [o for o in options(name) if o in SHARED]
    wanted = {"--memory-limit"} if name == "serve" else set() if name in AT_ONCE else SHARED
    assert sorted(found) == sorted(wanted)


def run(*words: object) -> int:
    sys.argv = ["vesalius", *map(str, words)]
    try:
        cli.main()
    except SystemExit as error:
        return int(error.code or 0)
    return 0


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setattr(sys, "argv", ["vesalius"])
    monkeypatch.setattr(cli, "process_began", lambda: __import__("time").monotonic())

    def ask(*words: object) -> tuple[int, dict[str, Any], str]:
        code = run(*words, "--json")
        said = capsys.readouterr()
        document = json.loads(said.out)
        SCHEMA.validate(document)
        return code, document, said.err

    return ask


def test_what_was_used_stands_beside_the_result(tmp_path: Path, told: Any) -> None:
    words = (
        "--time-limit",
        "1h",
        "--energy-limit",
        "1kWh",
        "--carbon-intensity",
        "360",
        "--price-kwh",
        "0.36",
    )
    code, found, said = told("phantom", tmp_path / "made", "--cases", 2, "--format", "png", *words)
    used = found["used"]
    assert code == 0 and used["limits"] == {"time_s": 3600.0, "memory_bytes": None, "energy_j": 3.6e6}
    assert used["energy"]["co2_g"] == pytest.approx(used["energy"]["joules"] * 1e-4)
    assert used["energy"]["price"] == pytest.approx(used["energy"]["joules"] * 1e-7)
    notes = [w["text"] for w in found["warnings"]]
    assert any(n.startswith("used ") and "of memory and" in n for n in notes) and "used " in said


def test_without_any_nothing_is_measured(tmp_path: Path, told: Any) -> None:
    code, found, _ = told("phantom", tmp_path / "made", "--cases", 2, "--format", "png")
    assert code == 0 and "used" not in found


def test_a_limit_that_is_reached_is_exit_code_3(tmp_path: Path, told: Any) -> None:
    code, found, said = told("phantom", tmp_path / "made", "--cases", 400, "--time-limit", "0.05s")
    assert code == 3 == found["exit_code"] and found["error"]["kind"] == "LimitReached"
    assert said.count("vesalius: the time limit of 0.05 s was reached") == 1
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--memory-limit", "4 apples", "is not an amount of memory"),
        ("--memory-limit", "20MB", "is too small for any work"),
        ("--energy-limit", "50", "is not an amount of energy"),
        ("--time-limit", "soon", "is not a time"),
        ("--carbon-intensity", "-3", "a carbon intensity is a number"),
    ],
)
def test_what_is_no_limit_is_said_before_anything_is_done(
    option: str, text: str, said: str, tmp_path: Path, told: Any
) -> None:
    code, found, _ = told("phantom", tmp_path / "made", "--cases", 2, option, text)
    assert code == 2 and said in found["error"]["what"] and not (tmp_path / "made").exists()
