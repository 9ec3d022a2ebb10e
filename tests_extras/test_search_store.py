"""A search's store: kill -9 loses nothing, several processes share it, and what a trial came to is told once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests._patience import until

from vesalius.core.progress import Silent
from vesalius.search.space import Choice, Range, Space
from vesalius.search.store import DEFAULT, DONE, FAILED, PRUNED, RESULT, RUNNING, Store
from vesalius.search.work import Look, Worker

pytest.importorskip("optuna")
SPACE = Space(
    (Range("train.lr", 1e-4, 1e-1, log=True), Choice("net.name", ("cnn", "vgg-11"))),
    {"train.lr": 1e-3, "net.name": "cnn"},
)
WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from test_search_store import store, worker
def slow(settings, name, look):
    time.sleep({seconds})
    return {{"score": settings.get("train.lr", 0.001), "draws": [], "by": "primary"}}
worker(store(Path({folder!r}), {trials}), slow, number={number}).work()
"""


def store(folder: Path, trials: int, sampler: str = "tpe", **more: Any) -> Store:
    return Store(folder, SPACE, sampler, trials, seed=0, **more)


def quick(settings: Mapping[str, Any], name: str, look: Look) -> dict[str, Any]:
    """A stand-in for a training, whose best rate is 0.01."""
    rate = float(settings.get("train.lr", 1e-3))
    return {"score": -abs(rate - 0.01), "draws": [], "by": "primary"}


def worker(shared: Store, measure: Any = quick, **more: Any) -> Worker:
    return Worker(store=shared, measure=measure, forget=lambda _: None, progress=Silent(), **more)


def begun(folder: Path, *, trials: int, seconds: float, number: int = 0) -> subprocess.Popen[bytes]:
    """Another process that works on a store."""
    about = {"here": str(Path(__file__).parent), "folder": str(folder), "seconds": seconds}
    code = WORKER.format(**about, trials=trials, number=number)
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def results(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"trials/*/{RESULT}"))


def test_the_default_is_the_first_and_all_that_is_asked_for_is_done(tmp_path: Path) -> None:
    shared = store(tmp_path, 8)
    worker(shared).work()
    found = shared.all()
    assert [t.number for t in found] == list(range(8)) and {t.state for t in found} == {DONE}
    assert found[DEFAULT].settings == {} and all(t.settings for t in found[1:])
    worker(store(tmp_path, 8)).work()  # again: nothing is done twice
    assert len(store(tmp_path, 8).all()) == 8
    worker(store(tmp_path, 10)).work()  # more may be asked for later
    assert len(store(tmp_path, 10).all()) == 10


def test_it_is_the_same_search_in_one_piece_or_in_two(tmp_path: Path) -> None:
    one, two = store(tmp_path / "a", 12), tmp_path / "b"
    worker(one).work()
    for trials in (5, 12):
        worker(store(two, 12 if trials == 12 else 5)).work()
    drawn = [[t.settings for t in s.all()] for s in (one, store(two, 12))]
    assert drawn[0] == drawn[1]


def test_killed_with_minus_nine_it_goes_on_and_nothing_that_was_finished_is_lost(tmp_path: Path) -> None:
    process = begun(tmp_path, trials=6, seconds=0.4)
    until(lambda: len(results(tmp_path)) >= 2)
    time.sleep(0.1)  # in the midst of the next
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.read_bytes() for path in results(tmp_path)}
    shared = store(tmp_path, 6)
    assert [t.state for t in shared.all()].count(RUNNING) <= 1
    dead = [t for t in shared.all() if t.state == RUNNING]
    worker(shared).work()
    found = shared.all()
    assert [t.number for t in found] == list(range(6)) and {t.state for t in found} == {DONE}
    assert all(path.read_bytes() == kept for path, kept in before.items())
    assert all(
        found[t.number].settings == t.settings for t in dead if t.settings
    )  # the same plan, taken up again


def test_a_trial_that_died_while_its_values_were_drawn_gets_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = store(tmp_path, 3)
    shared.finish(shared.take(0), {"score": 0.0})  # type: ignore[arg-type]
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Space, "chosen", lambda *_: sys.exit())
        shared.take(0)
    assert [t.state for t in shared.all()] == [DONE, RUNNING]
    worker(store(tmp_path, 3)).work()
    assert [t.state for t in shared.all()] == [DONE] * 3 and all(t.settings for t in shared.all()[1:])


def test_killed_at_any_moment_the_file_can_be_read(tmp_path: Path) -> None:
    """The journal of Optuna could not: half a line stays in it."""
    for k in range(2):
        process = begun(tmp_path, trials=200, seconds=0.0, number=k)
        many = len(results(tmp_path))
        until(lambda many=many: len(results(tmp_path)) > many + 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        states = [t.state for t in store(tmp_path, 200).all()]
        assert states.count(DONE) >= len(results(tmp_path)) - 1 and states.count(RUNNING) <= 1


def test_a_trial_that_ends_its_process_twice_is_given_up(tmp_path: Path) -> None:
    shared = store(tmp_path, 2)
    worker(store(tmp_path, 1)).work()
    for again in (False, True):
        taken = shared.take(0)
        assert taken is not None and taken.number == 1 and taken.again is again
        taken._lock.close()  # as the system does when a process is killed
    worker(shared).work()
    last = shared.all()[1]
    assert last.state == FAILED and "memory may have run out" in last.reason
    assert len(shared.all()) == 2  # it counts as one of those that were asked for


def test_an_interrupted_trial_is_no_failure(tmp_path: Path) -> None:
    shared = store(tmp_path, 1)
    for _ in range(4):
        taken = shared.take(0)
        assert taken is not None and taken.number == 0
        shared.let_go(taken)
    worker(shared).work()
    assert shared.all()[0].state == DONE


def test_what_was_written_but_not_told_is_told_by_the_next(tmp_path: Path) -> None:
    shared = store(tmp_path, 1)
    taken = shared.take(0)
    assert taken is not None
    (taken.folder / RESULT).write_text(json.dumps({"state": DONE, "score": 0.7, "draws": []}))
    taken._lock.close()
    asked: list[str] = []
    worker(shared, lambda *a: asked.append(a[1]) or quick(*a)).work()
    assert asked == [] and shared.all()[0].score == 0.7


def test_several_processes_share_the_trials_and_none_is_done_twice(tmp_path: Path) -> None:
    processes = [begun(tmp_path, trials=8, seconds=0.3, number=k) for k in (1, 2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    found = store(tmp_path, 8).all()
    assert [t.number for t in found] == list(range(8)) and {t.state for t in found} == {DONE}


def test_a_trial_that_fails_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    def failing(settings: Mapping[str, Any], name: str, look: Look) -> dict[str, Any]:
        if name == "trial-0002":
            raise RuntimeError("out of memory\nby 3 GiB")
        return quick(settings, name, look)

    shared = store(tmp_path, 4)
    worker(shared, failing).work()
    found = shared.all()
    assert [t.state for t in found] == [DONE, DONE, FAILED, DONE]
    assert found[2].reason == "RuntimeError: out of memory by 3 GiB"


def test_the_default_plan_that_fails_ends_it(tmp_path: Path) -> None:
    def failing(*_: Any) -> dict[str, Any]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        worker(store(tmp_path, 4), failing).work()
    worker(store(tmp_path, 4)).work()  # another process: it begins no other trial
    assert [t.state for t in store(tmp_path, 4).all()] == [FAILED]


def test_hyperband_ends_those_that_fall_behind(tmp_path: Path) -> None:
    looks: dict[str, int] = {}

    def looked(settings: Mapping[str, Any], name: str, look: Look) -> dict[str, Any]:
        score = quick(settings, name, look)["score"]
        for k in range(1, 10):
            looks[name] = k
            look(k, score)
        return {"score": score, "draws": [], "by": "primary"}

    shared = store(tmp_path, 24, "hyperband")
    worker(shared, looked).work()
    found = shared.all()
    ended = [t for t in found if t.state == PRUNED]
    assert ended and all("ended early" in t.reason for t in ended) and sum(looks.values()) < 9 * 24
    assert found[DEFAULT].state == DONE  # whose score all others are held against
    best = max((t for t in found if t.score is not None), key=lambda t: t.score or 0)
    assert best.state == DONE


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 20), ("gp", 12)])
def test_it_finds_more_than_chance_does_on_the_same_number_of_trials(
    tmp_path: Path, sampler: str, trials: int
) -> None:
    """The mean of the last ones, of a smooth target: a sampler that learns nothing would be at the others' level."""

    def smooth(settings: Mapping[str, Any], name: str, look: Look) -> dict[str, Any]:
        import math

        rate = float(settings.get("train.lr", 1e-3))
        off = abs(math.log10(rate) + 2) + (0.5 if settings.get("net.name") == "vgg-11" else 0.0)
        return {"score": -off, "draws": [], "by": "primary"}

    late = {}
    for name in (sampler, "random"):
        shared = store(tmp_path / name, trials, name)
        worker(shared, smooth).work()
        late[name] = sum(t.score or 0.0 for t in shared.all()[trials // 2 :]) / (trials // 2)
    assert late[sampler] > late["random"] + 0.1
    importance = store(tmp_path / sampler, trials, sampler).importance()
    assert next(iter(importance)) == "train.lr" and sum(importance.values()) == pytest.approx(1, abs=1e-3)
