"""The time limit of a run that is resumed: what is left of it, after Ctrl-C and after a kill."""

from __future__ import annotations

import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import vesalius as vs
from vesalius.core.errors import Interrupted
from vesalius.run.clock import CLOCK, left, on_the_clock
from vesalius.run.pacing import Clock

FIT = importlib.import_module("vesalius.verbs.fit")


def run_of(path: Path, **clock: Any) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "run.json").write_text("{}")
    if clock:
        (path / CLOCK).write_text(json.dumps(clock))
    return path


def test_a_run_that_ended_in_order_has_the_limit_less_what_it_used(tmp_path: Path) -> None:
    assert left(run_of(tmp_path, left_s=600.0, used_s=240.0, since=None), {}) == 360
    assert left(run_of(tmp_path, left_s=600.0, used_s=700.0, since=None), {}) == 0
    assert left(run_of(tmp_path, left_s=None, used_s=5.0, since=None), {"time_limit": "1m"}) is None


def test_of_a_run_that_was_killed_the_last_checkpoint_counts(tmp_path: Path) -> None:
    run = run_of(tmp_path, left_s=600.0, used_s=0.0, since=1_000_000.0)
    assert left(run, {}) == 600, "nothing was written: nothing was done"
    (run / "checkpoints").mkdir()
    for name, when in (("classify-0.pt", 1_000_100.0), ("classify-1.pt", 1_000_230.0)):
        (run / "checkpoints" / name).touch()
        os.utime(run / "checkpoints" / name, (when, when))
    assert left(run, {}) == 370
    os.utime(run / "checkpoints" / "classify-1.pt", (999_000.0, 999_000.0))
    assert left(run, {}) == 500


def test_a_run_of_before_has_the_limit_it_was_told(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    os.utime(run / "run.json", (1_000_000.0, 1_000_000.0))
    (run / "plan.json").touch()
    os.utime(run / "plan.json", (1_000_060.0, 1_000_060.0))
    assert left(run, {"time_limit": "10m"}) == 540
    assert left(run, {"time_limit": None}) is None and left(run, {}) is None
    (run / CLOCK).write_text('{"left_s": "x"}')
    assert left(run, {"time_limit": 600.0}) == 540, "a damaged clock is none"


def test_what_was_used_is_written_however_it_ends(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    with pytest.raises(KeyboardInterrupt), on_the_clock(run, 60.0, time.monotonic() - 10):
        kept = json.loads((run / CLOCK).read_text())
        assert kept["left_s"] == 60 and kept["used_s"] == 0 and 9 < time.time() - kept["since"] < 20
        raise KeyboardInterrupt
    kept = json.loads((run / CLOCK).read_text())
    assert 10 <= kept["used_s"] < 20 and kept["since"] is None
    assert 40 < (left(run, {}) or 0) <= 50


@pytest.fixture(scope="module")
def stopped(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit of ten minutes that Ctrl-C stops as soon as training would begin."""
    run = tmp_path_factory.mktemp("clock") / "run"
    settings = {"net.scale": 0.125, "train.steps": 6, "data.size": [1, 32, 32], "train.threads": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FIT, "train_all", _pressed([]))
        with pytest.raises(Interrupted):
            vs.fit(pictures.data, run, settings=settings, time_limit="10m")
    return run


def _pressed(deadlines: list[float | None]) -> Any:
    def train_all(*args: Any, clock: Clock, **kwargs: Any) -> Any:
        deadlines.append(None if clock.deadline is None else clock.deadline - time.monotonic())
        raise KeyboardInterrupt

    return train_all


@pytest.mark.parametrize(
    ("given", "low", "high"), [(None, 250.0, 360.0), ("2m", 50.0, 120.0), ("20m", 1000.0, 1200.0)]
)
def test_a_resumed_fit_has_what_is_left_unless_it_is_given_another_limit(
    given: str | None, low: float, high: float, stopped: Path, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stopped / CLOCK).write_text(json.dumps({"left_s": 600.0, "used_s": 240.0, "since": None}))
    found: list[float | None] = []
    monkeypatch.setattr(FIT, "train_all", _pressed(found))
    with pytest.raises(Interrupted):
        vs.fit(pictures.data, stopped, resume=True, time_limit=given)
    assert found[0] is not None and low < found[0] < high
    kept = json.loads((stopped / CLOCK).read_text())
    assert kept["left_s"] == {None: 360, "2m": 120, "20m": 1200}[given] and kept["since"] is None
    again = left(stopped, {})
    assert again is not None and kept["left_s"] - 30 < again < kept["left_s"]
