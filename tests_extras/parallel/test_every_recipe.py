"""Two processes that train by each recipe there is: they follow one process, or it is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vesalius.core import registry
from vesalius.learn.recipes import contract as recipes

SCRIPT = Path(__file__).parent / "_recipes.py"
TORCHRUN = ("-m", "torch.distributed.run", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What became of each recipe, with nothing clipped and a net for each way in which it may ask one."""
    out = tmp_path_factory.mktemp("recipes")
    command = [sys.executable, *TORCHRUN, "--nproc-per-node", "2", str(SCRIPT), str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, env=environment)
    assert found.returncode == 0, found.stderr[-2000:]
    told: list[dict[str, Any]] = json.loads((out / "said.json").read_text(encoding="utf-8"))
    return told


def test_every_recipe_is_tried(said: list[dict[str, Any]]) -> None:
    assert {row["recipe"] for row in said} == set(registry.names(recipes.KIND))
    assert not [row for row in said if "fault" in row or "refused" in row]


def test_two_processes_follow_one(said: list[dict[str, Any]]) -> None:
    """A gradient that is not the whole's moves the weights elsewhere: a share of how far they move tells it."""
    for row in said:
        losses = pytest.approx(row["alone"], rel=2e-5, abs=5e-5)
        assert row["shared"] == losses and row["weights"] < 0.01, row
