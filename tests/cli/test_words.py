"""The command line without any data: help, versions, lists, NAME=VALUE, and progress in plain lines."""

from __future__ import annotations

import os
import re
import time
from typing import Any

import psutil
import pytest
import typer
from typer.testing import CliRunner

import vesalius
from vesalius import __main__, cli
from vesalius.cli import app
from vesalius.cli._app import pairs, process_began
from vesalius.cli._show import figure
from vesalius.core import bars as _bars
from vesalius.core.bars import Bars, Lines
from vesalius.core.errors import VesaliusError
from vesalius.core.registry import names
from vesalius.core.scorecard import Interval

RUN = CliRunner()


def test_threads_that_wait_soon_sleep_unless_the_user_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read when torch is loaded, so it must stand before anything of the command line is."""
    seen: list[str | None] = []
    monkeypatch.setattr("vesalius.cli.main", lambda: seen.append(os.environ.get("GOMP_SPINCOUNT")))
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")  # so that it is put back after the test
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    __main__.main()
    monkeypatch.delenv("GOMP_SPINCOUNT")
    __main__.main()
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    __main__.main()
    assert seen == ["7", "5000", None]


def test_a_time_limit_counts_from_the_first_moment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    began = process_began()
    old = time.time() - psutil.Process().create_time()
    assert time.monotonic() - began == pytest.approx(old, abs=0.5) or old > 600
    assert began <= time.monotonic()
    given: list[object] = []
    monkeypatch.setattr("vesalius.cli.app", lambda words, **how: given.append(how["obj"]))
    cli.main()
    assert given == [process_began], (
        "a command learns of it; one that is called within another program does not"
    )


COMMANDS = (
    *(
        "inspect",
        "fit",
        "pretrain",
        "predict",
        "evaluate",
        "explain",
        "fetch",
        "serve",
        "deidentify",
        "phantom",
        "demo",
    ),
    *("nets", "tasks", "formats", "layouts", "targets", "losses", "optimisers", "schedules", "metrics"),
    *(
        "anomalies",
        "answers",
        "phantoms",
        "transforms",
        "runs",
        "detectors",
        "handovers",
        "runtimes",
        "recipes",
        "presets",
        "views",
        "explainers",
        "annotate",
        "gather",
        "change",
        "design",
        "clean",
        "advise",
        "ask",
        "prompt",
        "compare",
        "consensus",
        "shape",
        "complete",
        "morph",
        "label",
        "transfer",
        "scale",
        "search",
        "degrade",
        "mesh",
        "find",
        "suggest",
        "index",
        "find-lr",
        "few-shot",
        "harmonise",
        "features",
        "weights",
        "calibrate",
        "compress",
        "import",
        "card",
        "selftest",
        "export",
        "exports",
        "opinions",
        "registrations",
        "degradations",
        "tokenizers",
        "harmonisers",
        "learners",
        "faults",
        "looks",
        "families",
        "rules",
        "refits",
        "compressors",
        "checklists",
        "origins",
        "strategies",
        "anomalies",
    ),
)  # that were promised


def test_the_command_line_has_every_command_that_was_promised_and_no_other() -> None:
    assert {c.name for c in app.registered_commands if not c.hidden} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str) -> None:
    done = RUN.invoke(app, [command, "--help"])
    assert done.exit_code == 0 and "Usage" in done.output
    assert command in RUN.invoke(app, ["--help"]).output


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_word_of_it(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in brackets may be taken for markup, and would be missing without a word."""
    from typer import rich_utils

    monkeypatch.setattr(rich_utils, "MAX_WIDTH", 400)
    known: Any = typer.main.get_command(app)
    found = known.commands[command]
    shown = re.sub(r"[\s│]+", "", RUN.invoke(app, [command, "--help"]).output)
    said = [found.help, *(getattr(p, "help", None) for p in found.params)]
    said += [d for p in found.params if isinstance(d := getattr(p, "show_default", None), str)]
    assert len([text for text in said if text]) > 0
    for text in filter(None, said):
        assert "".join(text.split()) in shown, text


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("nets", "nets"),
        ("tasks", "tasks"),
        ("formats", "formats"),
        ("layouts", "cohorts"),
        ("phantoms", "phantom"),
        ("losses", "losses"),
        ("transforms", "prepare.transforms"),
        ("targets", "cohorts.targets"),
    ],
)
def test_lists_hold_every_registered_name(command: str, kind: str) -> None:
    lines = RUN.invoke(app, [command]).output.splitlines()
    assert [x.split()[0] for x in lines] == list(names(kind))


def test_the_version_is_the_packages() -> None:
    assert RUN.invoke(app, ["--version"]).output.strip() == f"vesalius {vesalius.__version__}"


def test_pairs() -> None:
    assert pairs(["a=1", " b = x=y "], "--set") == {"a": "1", "b": "x=y"} and pairs(None, "--set") == {}
    assert pairs(["label=a", "label=b"], "--column") == {"label": "a,b"}
    for wrong in ("a", "=1", " =2"):
        with pytest.raises(VesaliusError, match="--set takes NAME=VALUE"):
            pairs([wrong], "--set")


def test_lines_say_how_far_and_how_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(_bars.time, "monotonic", lambda: now[0])
    shown = Lines()
    shown.start("prepare", 10)
    for _ in range(4):
        now[0] += 5
        shown.advance("prepare", text="loss 0.5")
    now[0] += 1
    shown.finish("prepare")
    shown.advance("unknown")
    assert capsys.readouterr().err.splitlines() == [
        "prepare: 3/10, about 35 s left loss 0.5",
        "prepare: 4 done in 21.0 s loss 0.5",
    ]


def test_bars_begin_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Bars()
    shown.start("a", 2)
    shown.start("b")
    shown.advance("a", 1, "x [bold]")
    shown.note("a [red] line")
    shown.finish("a")
    shown.finish("b")
    shown.finish("never begun")
    time.sleep(0.01)
    assert "a [red] line" in capsys.readouterr().err and not shown.known


def test_figures_with_and_without_an_interval() -> None:
    assert figure(Interval(0.5, 0.4, 0.61, 9)) == "0.500 (0.400 to 0.610)"
    assert (
        figure(Interval(0.5, None, None, 1)) == "0.500"
        and figure(Interval(None, None, None, 0)) == figure(None) == "-"
    )


def test_python_has_the_verbs() -> None:
    for name in vesalius.__all__:
        assert getattr(vesalius, name) is not None
    for name in ("read", "inspect", "fit", "predict", "evaluate", "write", "deidentify", "phantom", "demo"):
        assert callable(getattr(vesalius, name)) and name in dir(vesalius)
    with pytest.raises(AttributeError, match="has no attribute 'fitt'"):
        vesalius.fitt  # noqa: B018


def test_libraries_keep_quiet_while_a_verb_runs(caplog: pytest.LogCaptureFixture) -> None:
    import lightning_fabric  # sets its own level on import

    assert RUN.invoke(app, ["nets"]).exit_code == 0
    lightning_fabric.Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    assert caplog.records == [], "nothing about precision between the lines of progress"


def test_work_that_is_begun_again_has_another_total_and_keeps_what_is_done() -> None:
    lines, bars = Lines(), Bars()
    for shown in (lines, bars):
        shown.start("member-0", 400)
        shown.advance("member-0", 30)
        shown.start("member-0", 300)
    assert (lines.counts["member-0"].total, lines.counts["member-0"].done) == (300, 30)
    (task,) = bars.bars.tasks
    assert (task.total, task.completed) == (300, 30)
    bars.finish("member-0")
    assert not bars.bars.tasks
