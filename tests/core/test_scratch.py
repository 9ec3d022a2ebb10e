"""Scratch files: arrays in them hold what arrays in memory hold, and nothing of them is left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from vesalius.core import scratch
from vesalius.core.errors import OutputError


def test_only_large_arrays_and_only_within_the_block() -> None:
    with scratch.for_large(1000):
        small, large = scratch.empty((10,), np.float32), scratch.zeros((1000,), np.float32)
        with scratch.for_large(None):
            assert not scratch.in_file(scratch.zeros((1000,), np.float32))
    assert not scratch.in_file(small) and scratch.in_file(large) and scratch.in_file(large[3:7].reshape(2, 2))
    assert not scratch.in_file(scratch.zeros((10**6,), np.uint8))


def test_values_stay_when_pages_are_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "room", lambda: 1 << 30)
    with scratch.for_large(1):
        array = scratch.zeros((50, 40, 30), np.int16)
    assert not list(tmp_path.iterdir()), "the file has no name"
    want = np.random.default_rng(0).integers(-999, 999, array.shape)
    for rows in scratch.in_chunks(array, nbytes=3000):
        array[rows] = want[rows]
    scratch.let_go(array)
    assert np.array_equal(array, want)


def test_rows_come_back() -> None:
    rows = scratch.Rows(24)
    values = np.arange(18, dtype=np.float32).reshape(3, 6)
    for k in (2, 0, 1):
        rows.write(k, values[k])
    into = np.empty((2, 3), np.float32)
    for k in range(3):
        rows.read(k, into)
        assert np.array_equal(into.ravel(), values[k])
    with pytest.raises(OutputError):
        rows.read(3, into)
    rows.close()


def test_where_there_is_no_room_arrays_lie_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "room", lambda: 100)
    with scratch.for_large(1):
        assert not scratch.in_file(scratch.zeros((101,), np.uint8))
        assert scratch.in_file(scratch.zeros((100,), np.uint8))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot keep room")
def test_a_disk_that_is_full_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with scratch.for_large(1), pytest.raises(OutputError, match="No space left"):
        scratch.zeros((100,), np.uint8)


def test_a_folder_in_memory_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_in_memory", lambda folder: True)
    assert scratch.room() == 0
