"""Limits that are reached: what is raised, what it says, and that everything is afterwards as it was before."""

from __future__ import annotations

import gc
import importlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from _patience import until
from vesalius.core.errors import BudgetError, DataError, Interrupted, LimitReached
from vesalius.plan import machine
from vesalius.plan.energy import Meter
from vesalius.run.limits import watch as watching
from vesalius.run.limits.allowance import Allowance, allowance
from vesalius.run.limits.memory import Children, held
from vesalius.run.limits.watch import current, within
from vesalius.run.stopping import all_or_nothing

ROOM = 400_000_000  # bytes beside what the tests hold already: enough for a block to begin


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The signal's handler, the system's cap and the block around are what they were."""
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook, machine.declared_memory() is None
    yield
    after = signal.getsignal(signal.SIGINT), sys.unraisablehook, machine.declared_memory() is None
    assert after == before and current() is None
    assert not [t for t in threading.enumerate() if t.name == "limits"]


def forward(seconds: float = 1000.0) -> None:
    """Put the clock of the open limits forward, and work until they notice."""
    watch = current()
    assert watch is not None
    watch.began -= seconds
    until(lambda: False)


def test_a_time_that_is_over_ends_the_work_and_says_so() -> None:
    said = "^the time limit of 60 s was reached; found 10.* s used; try: a larger --time-limit$"
    with pytest.raises(LimitReached, match=said) as found, within(allowance("1m")):
        forward()
    assert found.value.limit == "time" and found.value.exit_code == 3 and isinstance(found.value, BudgetError)


def test_what_the_work_keeps_and_how_it_goes_on_is_said() -> None:
    said = (
        r"^the time limit of 60 s was reached; 3 of 9 answers are kept; found .* used; try: predict --resume$"
    )
    with pytest.raises(LimitReached, match=said), within(allowance("1m")):
        try:
            forward()
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted; 3 of 9 answers are kept", hint="predict --resume") from error


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    said = "reached; nothing was written"
    with pytest.raises(LimitReached, match=said), within(allowance("1m")), all_or_nothing(folder):
        forward()
    assert not folder.exists()


def test_work_that_ends_by_itself_says_what_it_used() -> None:
    with within(Allowance()) as watch:
        began = watch.time_s
        sum(k * k for k in range(200_000))
    used = watch.used()
    assert used["time_s"] >= began and used["peak_bytes"] >= held() // 2 and watch.reached == ""
    assert used["energy"]["joules"] > 0 and used["energy"]["how"] in ("measured", "estimated")
    first = watch.used()["energy"]["joules"]
    sum(k * k for k in range(200_000))
    assert watch.used()["energy"]["joules"] == first, "what comes after the block is none of its energy"


def test_another_error_stays_itself() -> None:
    with (
        pytest.raises(DataError, match="^what it was$"),
        within(allowance("1h", memory="64GiB", energy="1kWh")),
    ):
        raise DataError("what it was")
    with pytest.raises(KeyboardInterrupt), within(allowance("1h")):
        raise KeyboardInterrupt  # a person's
    with pytest.raises(Interrupted), within(allowance("1h")):
        raise Interrupted("interrupted")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's cap")
def test_memory_that_is_asked_for_at_once_is_never_given() -> None:
    gc.collect()
    limit = held() + ROOM
    said = "^the memory limit of .* was reached; found .* in use, and more was asked"
    with pytest.raises(LimitReached, match=said) as found, within(Allowance(memory_bytes=limit)) as watch:
        assert 0 < machine.measure().memory < ROOM and (machine.memory_limit() or 0) <= limit
        np.ones(2 * ROOM, np.uint8)
    assert found.value.limit == "memory" and watch.peak_bytes < limit
    assert machine.declared_memory() is None


def test_memory_that_grows_ends_the_work_before_the_limit() -> None:
    gc.collect()
    limit, pieces = held() + ROOM, []
    with pytest.raises(LimitReached, match="memory limit"), within(Allowance(memory_bytes=limit)) as watch:
        while True:
            pieces.append(np.ones(1_000_000, np.uint8))
            time.sleep(0.0005)
    assert limit - ROOM < watch.peak_bytes < limit and len(pieces) * 1_000_000 < ROOM


def test_a_limit_in_which_nothing_can_work_is_refused_with_the_least() -> None:
    said = "too small for any work; found .* in use before it begins; try: --memory-limit"
    with pytest.raises(BudgetError, match=said) as found, within(allowance(memory="50MB")):
        pytest.fail("it began")
    assert not isinstance(found.value, LimitReached) and found.value.exit_code == 2


def test_a_containers_limit_counts_where_it_is_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CONTAINER", tmp_path)
    for name, text in {"memory.max": "60000000", "memory.current": "0", "memory.stat": ""}.items():
        (tmp_path / name).write_text(text)
    with (
        pytest.raises(BudgetError, match="a memory limit of 60MB is too small"),
        within(allowance(memory="64GB")),
    ):
        pytest.fail("it began")


def test_energy_that_is_used_up_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    used = {"j": 0.0}

    def read(meter: Meter) -> object:
        return type(
            "",
            (),
            {"joules": used["j"], "kwh": used["j"] / 3.6e6, "how": "estimated", "text": "processor time"},
        )()

    monkeypatch.setattr(Meter, "read", read)
    said = r"^the energy limit of 4.2Wh was reached; found 4.44Wh used \(estimated\); try: a larger --energy-limit"
    with pytest.raises(LimitReached, match=said), within(allowance(energy="4.2Wh")):
        used["j"] = 16_000.0
        until(lambda: False)


def test_work_that_planned_for_it_is_ended_a_tenth_later() -> None:
    with within(Allowance(time_s=1000.0)) as watch:
        watch.planned = True
        watch.began -= 1050.0
        time.sleep(3 * watching.SELDOM_S)
        assert watch.reached == ""
        with pytest.raises(KeyboardInterrupt):
            forward(60.0)
        assert watch.reached == "time"


def test_an_import_is_never_cut_in_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or its locks would stay held, and every thread that imports would wait for ever."""
    (tmp_path / "takes_a_while.py").write_text(
        "from vesalius.run.limits.watch import current\n"
        "import time\n"
        "current().began -= 1000\n"
        "while not current().reached: time.sleep(0.01)\n"
        "time.sleep(0.2)\n"
        "whole = True\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(LimitReached), within(allowance("1m")):
        module = importlib.import_module("takes_a_while")
        assert module.whole
        until(lambda: False)
    assert "takes_a_while" in sys.modules
    done: list[bool] = []
    other = threading.Thread(target=lambda: done.append(bool(importlib.import_module("colorsys"))))
    other.start()
    other.join(60)
    assert done == [True]


def test_an_end_that_is_lost_in_a_finaliser_comes_again() -> None:
    class Finalised:
        def __del__(self) -> None:
            watch = current()
            assert watch is not None
            watch.began -= 1000
            until(lambda: False)

    with pytest.raises(LimitReached), within(allowance("1m")):
        held_by = Finalised()
        del held_by
        until(lambda: False)


def test_a_process_that_is_deaf_to_ctrl_c_is_not_deaf_to_its_limits() -> None:
    """As is every job that a shell starts in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(LimitReached), within(allowance("1m")):
            signal.raise_signal(signal.SIGINT)
            forward()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_are_told_that_they_cannot_be_ended() -> None:
    said: list[BaseException] = []

    def work() -> None:
        try:
            with within(allowance("1m")):
                pass
        except BudgetError as error:
            said.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "main thread alone" in str(said[0])


def test_a_watch_that_has_no_memory_left_itself_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise MemoryError

    limit = held() + ROOM
    with pytest.raises(LimitReached, match="memory limit"), within(Allowance(memory_bytes=limit)):
        monkeypatch.setattr(watching, "held", refused)
        until(lambda: False)


@pytest.mark.parametrize(
    "words",
    [
        "can't start new thread",
        "could not create a primitive",
        "DefaultCPUAllocator: can't allocate memory: tried 9",
    ],
)
def test_whatever_library_is_refused_its_memory_the_limit_is_what_is_said(words: str) -> None:
    with pytest.raises(LimitReached, match="memory limit"), within(Allowance(memory_bytes=held() + ROOM)):
        raise RuntimeError(words)
    with pytest.raises(RuntimeError), within(Allowance(time_s=60.0)):
        raise RuntimeError(words)


@pytest.mark.skipif(sys.platform != "linux", reason="children are listed by the kernel")
def test_children_count_once_they_have_been_there_for_a_while() -> None:
    code = "x = bytearray(80_000_000); print(flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        children = Children()
        assert children.held() == 0, "it may still be its parent"
        assert 80_000_000 < children.held() < 200_000_000
        child.communicate("\n")
    assert children.held() == 0
