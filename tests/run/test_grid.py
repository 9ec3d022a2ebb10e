"""A grid goes on where it was killed, does nothing twice, and lets a cell fail alone."""

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

from vesalius.core.errors import DataError, Interrupted, LimitReached, OutputError
from vesalius.core.progress import Silent
from vesalius.run.grid import CELLS, Cell, carry_out, left_s, opened

KILLED = """
import sys, time
from pathlib import Path
from vesalius.core.progress import Silent
from vesalius.run.grid import Cell, carry_out, opened
folder, rest = opened(Path(sys.argv[1]), {"data": "abc"}), float(sys.argv[2])
def work(name):
    def done(place, needs):
        with (folder / "done.txt").open("a") as file:
            file.write(name + "\\n")
        if name == "b":
            time.sleep(rest)
        return {"value": name}
    return done
cells = [Cell(n, work(n), foreseen_s=60.0) for n in "abc"]
print(carry_out(folder, cells, name="cells", progress=Silent()).results)
"""


def test_a_process_that_is_killed_goes_on_and_does_nothing_finished_again(tmp_path: Path) -> None:
    grid, words = tmp_path / "grid", [sys.executable, "-c", KILLED, str(tmp_path / "grid")]
    first = subprocess.Popen([*words, "600"])
    log = grid / "done.txt"
    until = time.monotonic() + 60
    while not (log.is_file() and "b" in log.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert log.read_text().split() == ["a", "b"] and not (grid / CELLS / "b" / "result.json").exists()
    done = subprocess.run([*words, "0"], capture_output=True, text=True, check=True)
    assert log.read_text().split() == ["a", "b", "b", "c"], "a is not done again, b is begun again"
    assert all(f"'value': '{name}'" in done.stdout for name in "abc")


def cell(name: str, calls: list[str], *, needs: tuple[str, ...] = (), wrong: str = "", **asked: Any) -> Cell:
    def work(place: Path, given: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        calls.append(name)
        if wrong:
            raise DataError(wrong)
        return {"value": len(calls), "given": {n: r["value"] for n, r in given.items()}}

    return Cell(name, work, asked, 10.0, needs)


def test_a_cell_fails_alone_with_those_that_need_it_and_is_tried_again(tmp_path: Path) -> None:
    folder, calls = opened(tmp_path / "grid", {"data": 1}), list[str]()
    work = [
        cell("before", calls, wrong="no weights"),
        cell("after", calls, needs=("before",)),
        cell("else", calls),
    ]
    found = carry_out(folder, work, name="cells", progress=Silent())
    assert list(found.results) == ["else"] and calls == ["before", "else"]
    assert found.failed["before"] == "no weights" and "it needs before, which failed" in found.failed["after"]
    assert json.loads((folder / CELLS / "before" / "failed.json").read_text()) == {"reason": "no weights"}
    assert left_s(folder, work) == 20.0
    mended = [cell("before", calls), *work[1:]]
    again = carry_out(folder, mended, name="cells", progress=Silent())
    assert calls == ["before", "else", "before", "after"] and not again.failed
    assert again.results["after"]["given"] == {"before": again.results["before"]["value"]}
    assert not (folder / CELLS / "before" / "failed.json").exists()


def test_what_is_kept_is_not_mixed_with_what_was_asked_otherwise(tmp_path: Path) -> None:
    folder = opened(tmp_path / "grid", {"data": "abc", "time_limit": 90})
    carry_out(folder, [cell("a", [], init="one")], name="cells", progress=Silent())
    with pytest.raises(OutputError, match="another time limit; found 90 there, 60 now"):
        opened(folder, {"data": "abc", "time_limit": 60})
    other = carry_out(folder, [cell("a", [], init="two")], name="cells", progress=Silent())
    assert "another init" in other.failed["a"] and not other.results
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds no grid"):
        opened(tmp_path / "mine", {})


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    def work(place: Path, given: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        raise KeyboardInterrupt

    folder = opened(tmp_path / "grid", {})
    with pytest.raises(Interrupted, match="what is finished is kept") as error:
        carry_out(folder, [Cell("a", work)], name="cells", progress=Silent(), go_on="vesalius transfer x")
    assert error.value.hint == "vesalius transfer x goes on"


def test_past_its_end_no_cell_is_begun_and_finished_ones_are_given(tmp_path: Path) -> None:
    made: list[str] = []

    def work(place: Path, _: Mapping[str, Any]) -> Mapping[str, Any]:
        made.append(place.name)
        return {"n": len(made)}

    one, two = Cell("one", work), Cell("two", work)
    opened(tmp_path / "grid", {})
    carry_out(tmp_path / "grid", [one], name="cells", progress=Silent())
    over = time.monotonic() - 1
    with pytest.raises(LimitReached, match="at 1 of 2 cells; what is finished is kept") as caught:
        carry_out(tmp_path / "grid", [one, two], name="cells", progress=Silent(), ends=over)
    assert caught.value.limit == "time" and made == ["one"]
    assert not (tmp_path / "grid" / "cells" / "two").exists()
    there = carry_out(tmp_path / "grid", [one], name="cells", progress=Silent(), ends=over)
    assert there.results["one"]["n"] == 1 and made == ["one"]
