"""Two processes that share a net follow one process, for 20 steps, and go on with what one or two had begun."""

from __future__ import annotations

import copy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import _sharded
import pytest
import torch

pytest.importorskip("peft")

WHERE = Path(_sharded.__file__)
CASES = (
    "full,lora-full,tensor,thrifty,frozen-full,full@half,tensor@half,full@resumed,"
    "tensor@resumed,uneven@refused,net@refused,recipe@refused"
)


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two processes found, and for comparison one: losses and weights by case."""
    folder = tmp_path_factory.mktemp("sharded")
    one = {case: _sharded.trained(case) for case in ("plain", "undropped", "frozen", "lora")}
    torch.save(vars(_sharded.trained("plain", until=10)[2]), folder / "plain-half.ckpt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [
        subprocess.Popen([sys.executable, str(WHERE), str(rank), str(port), str(folder), CASES])
        for rank in (0, 1)
    ]
    try:
        assert [p.wait(timeout=300) for p in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
    two = torch.load(folder / "found.pt", weights_only=True)
    half = torch.load(folder / "full-half.ckpt", weights_only=True)
    return {**{k: v[:2] for k, v in one.items()}, **two, "half": half}


@pytest.mark.parametrize(
    ("two", "one"),
    [("full", "plain"), ("tensor", "plain"), ("thrifty", "undropped"), ("frozen-full", "frozen")],
)
def test_two_processes_follow_one(found: dict[str, Any], two: str, one: str) -> None:
    (losses, weights), (alone, whole) = found[two], found[one]
    assert len(losses) == len(alone) >= 4 and losses == pytest.approx(alone, abs=1e-5)
    assert weights.keys() == whole.keys(), "a bundle has its ordinary names"
    assert all(torch.allclose(w, whole[k], atol=5e-5) for k, w in weights.items())


@pytest.mark.parametrize("how", ["full", "tensor"])
def test_a_run_goes_on_with_another_number_of_processes(found: dict[str, Any], how: str) -> None:
    alone, whole = found["plain"]
    for begun in ("plain-half", f"{how}-half"):
        losses, weights = found[f"{how} of {begun}"]
        assert losses == pytest.approx(alone[10:], abs=1e-5)
        assert all(torch.allclose(w, whole[k], atol=5e-5) for k, w in weights.items())
    single = _sharded.Checkpoint(
        **copy.deepcopy(found["half"])
    )  # an optimiser goes on in the tensors that it is given
    assert _sharded.trained("plain", saved=single)[0] == pytest.approx(alone[10:], abs=1e-5)


def test_what_cannot_be_shared_is_refused(found: dict[str, Any]) -> None:
    assert "2 processes cannot share 3 heads evenly" in found["uneven@refused"]
    assert "ResNet does not say how its layers can be shared" in found["net@refused"]
    assert "recipe 'sparse' cannot train a net that lies on several processes" in found["recipe@refused"]


def test_adapters_of_a_shared_net_follow_those_of_one_process(found: dict[str, Any]) -> None:
    (losses, weights), (alone, whole) = found["lora-full"], found["lora"]
    assert losses == pytest.approx(alone, abs=1e-5) and weights.keys() == whole.keys()
    assert all(torch.allclose(w, whole[k], atol=5e-5) for k, w in weights.items())
