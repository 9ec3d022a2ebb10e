"""A predict that is stopped keeps every finished case, and goes on to what it would have been undisturbed."""

from __future__ import annotations

import csv
import errno
import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.errors import Interrupted, OutputError
from vesalius.core.file_names import file_names
from vesalius.run.ledger import Ledger


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Two rows, the second with a line break, quotes and a column of its own."""
    made = Ledger(tmp_path / "answers.csv")
    made.add({"case": "a", "p": "0.5"})
    made.add({"case": "b, c", "p": "1", "text": 'two\nlines and "words"'})
    return made


def test_rows_are_there_at_once_under_a_name_that_says_it_is_not_all(ledger: Ledger) -> None:
    assert rows(ledger.partial) == [
        {"case": "a", "p": "0.5", "text": ""},
        {"case": "b, c", "p": "1", "text": 'two\nlines and "words"'},
    ]
    assert ledger.partial.name == "answers.partial.csv" and not ledger.path.exists()
    ledger.close()
    assert len(rows(ledger.path)) == 2 and not ledger.partial.exists()
    assert Ledger(ledger.path).cases() == ["a", "b, c"], "stopped between the tables' getting their names"


def test_whatever_was_cut_short_is_dropped_and_the_rest_goes_on(ledger: Ledger) -> None:
    whole = ledger.partial.read_bytes()
    header, first = whole.index(b"\n") + 1, whole.index(b"\n", whole.index(b"\n") + 1) + 1
    for size in range(header, len(whole) + 1):
        ledger.partial.write_bytes(whole[:size])
        again = Ledger(ledger.path)
        found = again.cases()
        assert found == ([] if size < first else ["a"] if size < len(whole) else ["a", "b, c"]), size
        again.add({"case": "d", "p": "2"})
        assert [r["case"] for r in rows(ledger.partial)] == [*found, "d"]


def test_a_full_disk_leaves_no_half_of_a_row(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    before, write = ledger.partial.read_bytes(), os.write

    def full(place: int, data: bytes) -> int:
        if len(data) > 5:
            return write(place, data[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="no space left"):
        ledger.add({"case": "a case with a name", "p": "0"})
    assert ledger.partial.read_bytes() == before


class Press:
    """A progress that presses Ctrl-C when so many cases are done."""

    def __init__(self, after: int) -> None:
        self.left, self.said = after, ""

    def start(self, name: str, total: int | None = None) -> None: ...

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        self.left -= done
        if self.left == 0:
            raise KeyboardInterrupt

    def finish(self, name: str) -> None: ...

    def note(self, text: str) -> None:
        self.said += text


@pytest.fixture
def straight(pictures: Any, tmp_path: Path) -> Path:
    return vs.predict(pictures.path, pictures.data, tmp_path / "straight", json=True).out


def test_interrupted_and_resumed_it_ends_the_same(pictures: Any, straight: Path, tmp_path: Path) -> None:
    out = tmp_path / "an out"
    with pytest.raises(Interrupted, match="3 of 12 answers are kept") as caught:
        vs.predict(pictures.path, pictures.data, out, json=True, progress=Press(3))
    table = rows(out / "answers.partial.csv")
    assert table == rows(straight / "answers.csv")[:3]
    assert sorted(p.stem for p in out.glob("*-case-*.json")) == sorted(r["case"] for r in table)
    assert not (out / "answers.csv").exists()

    with pytest.raises(OutputError, match="interrupted predict; nothing is overwritten; try: --resume"):
        vs.predict(pictures.path, pictures.data, out)
    with pytest.raises(OutputError, match="cannot go on with another mirror"):
        vs.predict(pictures.path, pictures.data, out, mirror=["x"], resume=True)
    with pytest.raises(OutputError, match="answers to cases that are not in"):
        vs.predict(pictures.path, next(pictures.data.parent.rglob("*_011.png")), out, resume=True)

    words = shlex.split(str(caught.value.hint))
    done = CliRunner().invoke(app, words[1:])
    assert done.exit_code == 0 and "12 answered" in done.output, done.output
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in straight.iterdir())
    for path in straight.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(OutputError, match="holds no interrupted predict"):
        vs.predict(pictures.path, pictures.data, out, resume=True)


def test_another_bundle_does_not_go_on(pictures: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        vs.predict(pictures.path, pictures.data, out, progress=Press(1))
    mark = out / "unfinished.json"
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "bundle": "0" * 64}))
    with pytest.raises(OutputError, match="cannot go on with another bundle"):
        vs.predict(pictures.path, pictures.data, out, resume=True)


def test_files_and_rows_agree_when_the_disk_is_full(
    pictures: Any, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, add, press = tmp_path / "out", Ledger.add, Press(99)

    def full(self: Ledger, row: dict[str, Any]) -> None:
        if row["case"].endswith("-4"):
            raise OutputError("no space left")
        add(self, row)

    monkeypatch.setattr(Ledger, "add", full)
    with pytest.raises(OutputError, match="no space left"):
        vs.predict(pictures.path, pictures.data, out, json=True, progress=press)
    assert len(rows(out / "answers.partial.csv")) == len(list(out.glob("*-case-*.json"))) == 4
    assert "what is finished is kept; go on with: vesalius predict" in press.said


def test_what_could_not_be_answered_is_there_too_and_tried_again(pictures: Any, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for k, place in enumerate(sorted(pictures.data.parent.rglob("*.png"))[:4]):
        whole = place.read_bytes()
        (data / f"{k}.png").write_bytes(whole[: len(whole) // 2] if k == 1 else whole)
    with pytest.raises(Interrupted):
        vs.predict(pictures.path, data, out, progress=Press(3))
    assert [r["case"] for r in rows(out / "failed.partial.csv")] == ["1"]
    done = vs.predict(pictures.path, data, out, resume=True)
    assert done.case_ids == ("0", "2", "3") and [s.case for s in done.set_aside] == ["1"]
    assert [r["case"] for r in rows(out / "failed.csv")] == ["1"]


def test_no_two_cases_share_a_file() -> None:
    names = file_names(["a/b", "a_b", "A_b", "a_b-2", "..", ""])
    assert list(names.values()) == ["a_b", "a_b-2", "A_b-3", "a_b-2-2", "case", "case-2"]


def test_a_name_that_no_file_system_takes_is_cut_and_stays_its_own() -> None:
    long = ["é" * 200 + "1", "é" * 200 + "2"]
    names = file_names(long)
    assert len(set(names.values())) == 2
    assert all(len(n.encode()) <= 200 and n.startswith("é" * 90) for n in names.values())
