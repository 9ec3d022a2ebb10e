"""How many threads compute: as many as there are cores free, fewer at once and more only after a second look."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

import vesalius
from vesalius.plan import machine, threads, torch_threads
from vesalius.plan.machine import Vacancy, fitting
from vesalius.plan.threads import Threads


@pytest.mark.parametrize(
    ("free", "cores", "want"),
    [(2.0, 2, 2), (1.8, 2, 2), (1.7, 2, 1), (0.3, 2, 1), (0.0, 2, 1), (13.9, 16, 14), (3.0, 2, 2)],
)
def test_threads_that_suit_the_free_cores(free: float, cores: int, want: int) -> None:
    assert fitting(free, cores) == want


class Cores:
    """A machine of two cores whose counters are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.idle = self.own = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(machine, "_idle_s", lambda: self.idle)
        monkeypatch.setattr(machine, "_own_s", lambda: self.own)

    def passes(self, seconds: float, *, idle: float, own: float) -> None:
        self.now, self.idle, self.own = self.now + seconds, self.idle + idle, self.own + own


def test_free_is_what_is_idle_and_what_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = Cores(monkeypatch)
    vacancy = Vacancy(2)
    assert vacancy.free() is None and vacancy.threads() == 2, "no time has passed: nothing is known"
    cores.passes(2.0, idle=1.0, own=2.5)
    assert vacancy.free() == pytest.approx(1.75)
    cores.passes(2.0, idle=0.0, own=1.3)
    assert vacancy.free() == pytest.approx(0.65), "only what came since"
    cores.passes(2.0, idle=0.0, own=1.3)
    assert vacancy.threads() == 1


def test_a_machine_that_does_not_tell_is_taken_to_be_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = Cores(monkeypatch)
    monkeypatch.setattr(machine, "_idle_s", lambda: None)
    vacancy = Vacancy(2)
    cores.passes(2.0, idle=0.0, own=0.1)
    assert vacancy.free() is None and vacancy.threads() == 2


def test_the_counters_of_this_machine() -> None:
    vacancy = Vacancy()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        sum(range(1000))
    free = vacancy.free()
    assert free is None or 0.0 < free <= vacancy.cores


@pytest.fixture
def two() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_fewer_at_once_and_more_after_a_second_look(monkeypatch: pytest.MonkeyPatch, two: None) -> None:
    cores = Cores(monkeypatch)
    watch = Threads(2)
    cores.passes(0.1, idle=0, own=0.1)
    assert watch.look() is None, "too early"
    cores.passes(0.4, idle=0, own=0.3)
    assert watch.look() == 1
    for want in (None, 2, None):
        cores.passes(2.0, idle=2.0, own=2.0)
        assert watch.look() == want
    cores.passes(2.0, idle=0.0, own=1.2)
    watch.follow()
    assert torch.get_num_threads() == 1


def test_one_core_is_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = Cores(monkeypatch)
    watch = Threads(1)
    monkeypatch.setattr(machine, "_idle_s", lambda: 1 / 0)
    cores.passes(60.0, idle=0, own=0)
    assert watch.look() is None


def test_after_a_pause_what_was_before_does_not_count(monkeypatch: pytest.MonkeyPatch, two: None) -> None:
    """A service that waited for an hour on an idle machine must not take that hour for the second that it works in."""
    cores = Cores(monkeypatch)
    watch = Threads(2)
    cores.passes(3600.0, idle=7200.0, own=0.0)
    watch.begin()
    cores.passes(0.5, idle=0.0, own=0.4)
    assert watch.look() == 1
    assert threads.LONGEST_S < 3600


def test_one_file_alone_sets_torchs_threads() -> None:
    source = Path(vesalius.__file__).parent
    setting = [p for p in source.rglob("*.py") if "set_num_threads" in p.read_text(encoding="utf-8")]
    assert [p.relative_to(source).as_posix() for p in setting] == ["plan/torch_threads.py"]


def test_inside_the_block_only(two: None) -> None:
    with torch_threads.only(1):
        assert torch.get_num_threads() == torch_threads.in_use() == 1
    assert torch_threads.in_use() == 2
    torch_threads.use(None)
    torch_threads.use(0)
    assert torch_threads.in_use() == 2
