"""A real run on the command line, killed, interrupted and resumed: the same bundle as one that nobody disturbed."""

from __future__ import annotations

import csv
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import vesalius as vs
from _patience import patience, until
from vesalius.cli import app
from vesalius.core.disk import sha256
from vesalius.core.errors import BundleError, Interrupted, OutputError, PlanError, UnknownName
from vesalius.core.plan import load_plan
from vesalius.learn import checkpoint

SLOW = """
import os, sys, time
import vesalius.run.budgeting as budgeting
from vesalius.learn import stepper
budgeting.time_step = lambda *args, **kwargs: 0.01
step, taken = stepper.Stepper.step, 0
def slower(self, *args):
    global taken
    taken += 1
    time.sleep(0.03)
    while taken > 20 and not os.path.exists(os.environ["GO_ON"]):
        time.sleep(0.01)
    return step(self, *args)
stepper.Stepper.step = slower
from vesalius.cli import main
main()
"""


def begin(go_on: Path, *arguments: str) -> subprocess.Popen[str]:
    """The real command line; its steps take longer, and after twenty it waits for a file, however slow the test is."""
    command = [sys.executable, "-c", SLOW, "fit", *arguments]
    return subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"GO_ON": str(go_on)},
    )


def wait_for_step(path: Path, step: int) -> int:
    """Until a checkpoint of that step or later lies there; each is read whole while others replace it."""

    def reached() -> int | None:
        return found if path.is_file() and (found := checkpoint.load(path).step) >= step else None

    return int(until(reached, f"a checkpoint of step {step}"))


def test_killed_interrupted_and_resumed_it_ends_the_same(
    pictures: Any, tmp_path: Path, record_property: Any
) -> None:
    run, member = tmp_path / "run", tmp_path / "run" / "checkpoints" / "classify-0.pt"
    plan = str(pictures.path / "plan.json")
    steps = pictures.run.plan.train.steps

    moment = random.SystemRandom().randrange(1, 12)
    record_property("killed after step", moment)
    go_on = tmp_path / "go on"
    process = begin(go_on, str(pictures.data), "-o", str(run), "--plan", plan)
    before = wait_for_step(member, moment)
    time.sleep(random.SystemRandom().random() * 0.1)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    killed = checkpoint.load(member)
    assert before <= killed.step < steps and not killed.done
    with pytest.raises(BundleError):
        vs.predict(run, pictures.data, tmp_path / "answers")

    process = begin(go_on, str(pictures.data), "-o", str(run), "--resume")
    wait_for_step(member, killed.step + 8)
    process.send_signal(signal.SIGINT)
    go_on.touch()
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "interrupted at step" in said and "--resume" in said and "Traceback" not in said
    stopped = checkpoint.load(member)
    assert killed.step + 8 <= stopped.step < steps
    assert f"step {stopped.step} of {steps}" in said, "what is said is what was saved"

    resumed = vs.fit(pictures.data, run, resume=True)
    assert resumed.bundle is not None and resumed.bundle.hash != ""
    name = "weights-0-0.safetensors"
    assert sha256(run / "bundle" / name) == sha256(pictures.bundle / name)
    ours, theirs = resumed.scorecard, pictures.run.scorecard
    assert ours is not None and ours.metrics == theirs.metrics
    log = (run / "logs" / "classify-0.csv").read_text().splitlines()
    assert len([x for x in log if ",score," in x]) == 3, "no validation is written twice"


def test_the_plan_is_fixed_and_written_before_the_first_step(pictures: Any, tmp_path: Path) -> None:
    seen: list[tuple[bool, int]] = []

    class Watch:
        def start(self, name: str, total: int | None = None) -> None:
            if name.startswith("classify-"):
                run = tmp_path / "run"
                written = load_plan(run / "plan.json")
                seen.append(((run / "folds.json").is_file(), written.train.steps))
                assert total == written.train.steps

        def advance(self, name: str, done: int = 1, text: str = "") -> None: ...

        def finish(self, name: str) -> None: ...

        def note(self, text: str) -> None: ...

    settings = {"net.scale": 0.125, "data.size": [1, 32, 32], "train.members": 1, "train.threads": 1}
    began = time.monotonic()
    run = vs.fit(pictures.data, tmp_path / "run", settings=settings, time_limit="20s", progress=Watch())
    took = time.monotonic() - began
    assert seen == [(True, run.plan.train.steps)]
    assert took < patience(40), "a limit of 20 s, doubled for a machine that others use too"


class Press:
    """A progress that presses Ctrl-C when a member has done so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def start(self, name: str, total: int | None = None) -> None: ...

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        if name.startswith("classify-"):
            self.left -= done
            if done and self.left == 0:
                signal.raise_signal(signal.SIGINT)

    def finish(self, name: str) -> None: ...

    def note(self, text: str) -> None: ...


@pytest.fixture(scope="module")
def told(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A table under a name with a space, of which everything has to be told; its fit, stopped after three steps."""
    root = tmp_path_factory.mktemp("told")
    data = root / "my study"
    shutil.copytree(pictures.data.parent, data)
    rows = list(csv.DictReader((data / pictures.data.name).open()))
    (data / pictures.data.name).unlink()
    table, split = data / "cases.csv", root / "the split.csv"
    with table.open("w", newline="") as file:
        lines = [[r["case"], r["patient"], r["image"], r["class"], "xy"[k % 2]] for k, r in enumerate(rows)]
        csv.writer(file).writerows([["case", "who", "image", "first", "second"], *lines])
    with split.open("w", newline="") as file:
        lines = [[r["case"], ("train", "val", "train", "test")[k % 4]] for k, r in enumerate(rows)]
        csv.writer(file).writerows([["case", "split"], *lines])
    given = {
        "target": "first",
        "columns": {"patient": "who", "label": "first,second"},
        "split": split,
        # without its run's folder, which knows that the split tests on what it was trained on
        "init": shutil.copytree(pictures.bundle, root / "bare"),
        "settings": {"train.steps": 6, "train.batch": 2, "train.validations": 1},
        "plan": pictures.path / "plan.json",
    }
    straight = vs.fit(table, root / "straight", **given)
    run = root / "a run"
    with pytest.raises(Interrupted) as caught:
        vs.fit(table, run, progress=Press(3), **given)
    return {"table": table, "run": run, "straight": straight, "error": caught.value, "root": root}


def test_other_settings_weights_target_or_seed_are_refused_when_resumed(told: dict[str, Any]) -> None:
    before = checkpoint.load(told["run"] / "checkpoints" / "classify-0.pt").step
    for other, said in (
        ({"settings": {"train.lr": 0.5}}, r"keeps its plan; found train\.lr=0\.5"),
        ({"seed": 99}, r"keeps its plan; found train\.seed=99"),
        ({"target": "second"}, r"keeps its plan; found task\.target=second"),
        ({"init": told["straight"].path}, "began from other weights"),
    ):
        with pytest.raises(PlanError, match=said):
            vs.fit(told["table"], told["run"], resume=True, **other)
    assert before == 3 and checkpoint.load(told["run"] / "checkpoints" / "classify-0.pt").step == 3
    assert not (told["run"] / "bundle").exists()


def test_other_data_are_said_to_be_others_before_anything_that_they_lack(told: dict[str, Any]) -> None:
    rows = list(csv.DictReader(told["table"].open()))
    others = told["table"].with_name("others.csv")
    with others.open("w", newline="") as file:
        lines = [[r["case"], r["who"], r["image"], r["first"]] for r in rows]
        csv.writer(file).writerows([["case", "who", "image", "third"], *lines])
    said = "not those that this run began with; found .*; try: the data of before .*cases.csv.* or a new run"
    for columns in (None, {"label": "third"}):
        with pytest.raises(OutputError, match=said):
            vs.fit(others, told["run"], columns=columns, resume=True)
    with pytest.raises(UnknownName, match="unknown target 'secnd'"):
        vs.fit(told["table"], told["run"], target="secnd", resume=True)


def test_the_hint_is_a_whole_command_that_needs_to_be_told_nothing_again(
    told: dict[str, Any], tmp_path: Path
) -> None:
    words = shlex.split(told["error"].hint)
    assert words == ["vesalius", "fit", str(told["table"]), "-o", str(told["run"]), "--resume"]
    assert "step 3 of 6" in told["error"].what
    run = shutil.copytree(told["run"], tmp_path / "a run")  # the stopped one stays as it is for other tests
    done = CliRunner().invoke(app, [str(run) if word == str(told["run"]) else word for word in words[1:]])
    assert done.exit_code == 0, done.output
    for name in ("plan.json", "folds.json"):
        assert (run / name).read_text() == (told["straight"].path / name).read_text()
    weights = "bundle/weights-0-0.safetensors"
    assert sha256(run / weights) == sha256(told["straight"].path / weights)
    assert load_plan(run / "plan.json").task.target == "first"


def test_stopped_before_there_is_a_plan_nothing_is_left(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vesalius.run import budgeting

    def pressed(*args: Any, **kwargs: Any) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(budgeting, "time_step", pressed)
    with pytest.raises(KeyboardInterrupt):
        vs.fit(pictures.data, tmp_path / "run", settings={"net.scale": 0.125}, time_limit="60s")
    assert list(tmp_path.iterdir()) == []
