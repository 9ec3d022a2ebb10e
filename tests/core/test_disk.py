"""Writing: a crash at any moment leaves the old file or the new one; nothing is overwritten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vesalius.core.disk import held, new_folder, sha256, write_bytes, write_text, write_with
from vesalius.core.errors import OutputError

WRITER = """
import itertools, sys
from pathlib import Path
from vesalius.core.disk import write_bytes
path = Path(sys.argv[1])
for k in itertools.count():
    write_bytes(path, bytes([k % 251]) * 400_000)
    print(k, flush=True)
"""
SUICIDE = """
import os, signal, sys
from pathlib import Path
from vesalius.core.disk import write_with
def write(temporary):
    with temporary.open("wb") as file:
        file.write(b"new" * 1000)
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
write_with(Path(sys.argv[1]), write)
"""


def test_killed_at_any_moment_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.bin"
    seen = set()
    for kill in range(6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(kill + 1):  # so many are written, and the next is begun
            process.stdout.readline()
        time.sleep(0.002 * kill)
        process.kill()
        process.wait()
        data = path.read_bytes()
        assert len(data) == 400_000 and len(set(data)) == 1, "half of one write and half of another"
        seen.add(data[0])
    assert len(seen) > 1


def test_killed_in_the_middle_of_writing_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "state.bin"
    write_bytes(path, b"old")
    done = subprocess.run([sys.executable, "-c", SUICIDE, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["state.bin"]


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def write(temporary: Path) -> None:
        assert temporary.name.endswith("x.nii.gz"), "the suffixes are kept for writers that look at them"
        temporary.write_bytes(b"half")
        raise ValueError("a slip")

    with pytest.raises(ValueError, match="slip"):
        write_with(tmp_path / "x.nii.gz", write)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_in_words(tmp_path: Path) -> None:
    def write(temporary: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="no space left"):
        write_with(tmp_path / "x", write)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_said_in_words(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission"):
        write_text(tmp_path / "x", "y")


def test_a_file_where_a_folder_should_be_is_said_in_words(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "x")
    with pytest.raises(OutputError):
        write_text(tmp_path / "file" / "below", "y")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        new_folder(tmp_path / "file", default="run")


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    write_text(tmp_path / "there" / "note", "mine")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        new_folder(tmp_path / "there", default="run")
    assert (tmp_path / "there" / "note").read_text() == "mine"
    assert new_folder(tmp_path / "new" / "deep", default="run").is_dir()


def test_runs_are_numbered_from_the_first_that_is_free(tmp_path: Path) -> None:
    made = [new_folder(None, default="data", base=tmp_path).name for _ in range(3)]
    assert made == ["data-1", "data-2", "data-3"]


def test_the_hash_is_the_standard_one(tmp_path: Path) -> None:
    write_bytes(tmp_path / "abc", b"abc")  # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_is_one_processs_until_it_ends(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, vesalius.core.disk as d\n"
        "with d.held(pathlib.Path(sys.argv[1])): print('held', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None and other.stdout.readline() == b"held\n"
    with pytest.raises(OutputError, match="in use by another process"), held(tmp_path):
        pass
    other.kill()
    other.wait()
    with held(tmp_path):
        assert not list(tmp_path.iterdir())
