"""A process that stops answering, and does not end: the other one ends in the time that is stated, with one line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "_stops.py"
SILENT_S = 3.0


def started(rank: int, port: int, which: int) -> subprocess.Popen[str]:
    """Start one of two processes, with the words that torchrun would give it."""
    words = {"TORCHELASTIC_RUN_ID": "x", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    environment = os.environ | words | {k: str(v) for k, v in place.items()}
    command = [sys.executable, str(SCRIPT), str(which)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("which", [0, 1])
def test_the_one_that_is_left_ends(which: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [started(rank, port, which) for rank in range(2)]
    try:
        stopped, left = both[which], both[1 - which]
        until = time.monotonic() + 120
        while "State:\tT" not in Path(f"/proc/{stopped.pid}/status").read_text():
            assert time.monotonic() < until and stopped.poll() is None
            time.sleep(0.05)
        began = time.monotonic()
        _, said = left.communicate(timeout=60)
        assert left.returncode == 75, said
        assert f"process {1 - which} of 2 ends: process {which} has not answered for 3 s" in said
        assert time.monotonic() - began < 4 * SILENT_S + 3, "much later than was stated"
    finally:
        for process in both:
            process.kill()
            process.communicate()
