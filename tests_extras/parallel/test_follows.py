"""Two processes that share each batch: they follow one process's losses, and end with its weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "_follows.py"
TORCHRUN = ("-m", "torch.distributed.run", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0")


def said(out: Path, processes: int, recipe: str, norm: str) -> dict[str, Any]:
    """Return the losses and sums of the weights of a training by so many processes."""
    out.mkdir()
    launcher = (*TORCHRUN, "--nproc-per-node", str(processes)) if processes > 1 else ()
    command = [sys.executable, *launcher, str(SCRIPT), str(out), recipe, norm]
    found = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert found.returncode == 0, found.stderr[-2000:]
    told: dict[str, Any] = json.loads((out / "said.json").read_text(encoding="utf-8"))
    return told


@pytest.mark.parametrize(("recipe", "norm"), [("supervised", "batch"), ("meanteacher", "instance")])
def test_two_processes_follow_one_for_twenty_steps(tmp_path: Path, recipe: str, norm: str) -> None:
    """A batch of five over two processes, with dropout, noise, mixed pictures and batch statistics."""
    one, two = (said(tmp_path / str(n), n, recipe, norm) for n in (1, 2))
    assert len(one["losses"]) == 20
    assert two["losses"] == pytest.approx(one["losses"], abs=1e-5)
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-4, abs=1e-5)
    assert one["losses"][0] != one["losses"][-1]
