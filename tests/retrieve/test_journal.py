"""A journal of vectors: what a killed process leaves is gone on with, and nothing half written is taken for whole."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from _patience import until
from vesalius.core.errors import DataError, OutputError
from vesalius.core.index import Entry
from vesalius.retrieve.journal import FOLDER, Journal

BEGIN = {"bundle": "b", "data": "d"}


def opened(folder: Path, *, resume: bool = True, **begin: str) -> Journal:
    made = Journal(folder, BEGIN | begin)
    made.open(resume=resume)
    return made


def vector(k: int) -> np.ndarray:
    return np.random.default_rng(k).normal(size=5).astype(np.float32)


def whole(journal: Journal) -> int:
    """How many cases there are; their vectors are theirs."""
    rows = np.concatenate([v for v, _ in journal.parts()]) if journal.entries else np.empty((0, 5))
    assert [e.case for e in journal.entries] == [f"c{k}" for k in range(len(rows))]
    for k, row in enumerate(rows):
        np.testing.assert_array_equal(row, vector(k))
    return len(rows)


def test_a_process_that_is_killed_leaves_whole_cases(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        journal = opened(tmp_path, resume=False)
        k = 0
        while True:
            journal.add(Entry(f"c{k}", marks=("m",)), vector(k))
            k += 1
            time.sleep(0.001)
    lines = tmp_path / FOLDER / "cases.jsonl"
    until(lambda: lines.is_file() and lines.read_bytes().count(b"\n") > 5)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    journal = opened(tmp_path)
    count = whole(journal)
    assert count > 5
    journal.add(Entry(f"c{count}"), vector(count))
    journal.close()
    assert whole(opened(tmp_path)) == count + 1


@pytest.mark.parametrize("harm", ["line", "vector", "no line", "changed"])
def test_what_was_not_written_whole_is_cut_off(tmp_path: Path, harm: str) -> None:
    journal = opened(tmp_path, resume=False)
    for k in range(3):
        journal.add(Entry(f"c{k}"), vector(k))
    journal.close()
    lines, vectors = tmp_path / FOLDER / "cases.jsonl", tmp_path / FOLDER / "vectors.f32"
    if harm == "line":
        lines.write_bytes(lines.read_bytes()[:-9])
    elif harm == "vector":
        vectors.write_bytes(vectors.read_bytes()[:-3])
    elif harm == "no line":
        vectors.write_bytes(vectors.read_bytes() + b"12345")
    else:
        data = bytearray(vectors.read_bytes())
        data[45] ^= 1  # of the third
        vectors.write_bytes(bytes(data))
    again = opened(tmp_path)
    assert whole(again) == (3 if harm == "no line" else 2)
    assert vectors.stat().st_size == len(again.entries) * 20


def test_a_journal_of_another_bundle_is_not_gone_on_with(tmp_path: Path) -> None:
    opened(tmp_path, resume=False).close()
    with pytest.raises(OutputError, match="is another index"):
        opened(tmp_path, bundle="c")


def test_vectors_of_other_lengths_and_without_a_number_are_refused(tmp_path: Path) -> None:
    journal = opened(tmp_path, resume=False)
    journal.add(Entry("c0"), vector(0))
    with pytest.raises(DataError, match="another number of features"):
        journal.add(Entry("c1"), np.ones(4))
    with pytest.raises(DataError, match="not finite"):
        journal.add(Entry("c1"), np.full(5, np.nan))
    assert whole(journal) == 1
