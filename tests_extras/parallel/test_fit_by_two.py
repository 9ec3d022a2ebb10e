"""`fit` by two processes: killed, it ends with the same weights; two hosts train together through torchrun."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import vesalius as vs

SET = {
    "train.batch": 8,
    "train.members": 1,
    "net.name": "cnn",
    "data.size": "[1,28,28]",
    "train.checkpoint_every_s": 1,
}
FIT = ("-m", "vesalius", "fit", "made")


def told(steps: int) -> list[str]:
    """Return the settings as words."""
    return [
        word
        for name, value in (SET | {"train.steps": steps}).items()
        for word in ("--set", f"{name}={value}")
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cohort in it."""
    there = tmp_path_factory.mktemp("two")
    vs.phantom(there / "made", kind="spots", cases=40)
    return there


def weights(run: Path) -> bytes:
    """Return the bytes of the bundle's weights."""
    (found,) = (run / "bundle").glob("weights-*.safetensors")
    return found.read_bytes()


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that train, in the order of their ranks."""
    there = psutil.Process(process.pid).children(recursive=True)
    return sorted((p for p in there if "vesalius.learn.parallel.worker" in p.cmdline()), key=lambda p: p.pid)


def kill(process: subprocess.Popen[str], run: Path, which: int, after: float) -> float:
    """Kill a worker once there is a checkpoint later than a time; return when."""
    path = run / "checkpoints" / "classify-0.pt"
    until = time.monotonic() + 240
    while not (path.is_file() and path.stat().st_mtime > after):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "no checkpoint"
        time.sleep(0.05)
    workers(process)[which].send_signal(signal.SIGKILL)
    return time.time()


def test_killed_it_is_begun_again_and_ends_with_the_same_weights(place: Path) -> None:
    plain = [sys.executable, *FIT, "--devices", "2", *told(300)]
    subprocess.run([*plain, "-o", "whole"], cwd=place, check=True, capture_output=True, timeout=300)
    with subprocess.Popen([*plain, "-o", "run"], cwd=place, text=True, stderr=subprocess.PIPE) as process:
        at = kill(process, place / "run", 1, 0.0)
        kill(process, place / "run", 0, at)  # the leader
        _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    record: dict[str, Any] = json.loads((place / "run" / "run.json").read_text())["processes"]
    assert record["size"] == 2 and record["begun_again"] == 2
    assert ["process 1" in record["lost"][0]["lost"], "process 0" in record["lost"][1]["lost"]] == [
        True,
        True,
    ]
    assert weights(place / "run") == weights(place / "whole")
    assert (place / "run" / "scorecard.json").is_file()


def test_what_is_asked_wrongly_is_one_line(place: Path) -> None:
    found = subprocess.run(
        [sys.executable, *FIT, "-o", "no", "--devices", "2", "--set", "net.name=nothing"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 2 and found.stderr.splitlines()[-1].startswith("vesalius: ")
    assert "nothing" in found.stderr and "Traceback" not in found.stderr
    assert not (place / "no").exists()


def ip(*words: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them."""
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("needs root and iproute2")
    names = [f"vesalius-{os.getpid()}-{k}" for k in range(2)]
    made: list[str] = []
    try:
        try:
            for name in names:
                ip("netns", "add", name)
                made.append(name)
            ip(
                "link",
                "add",
                "cable-0",
                "netns",
                names[0],
                "type",
                "veth",
                "peer",
                "cable-1",
                "netns",
                names[1],
            )
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        for k, name in enumerate(names):
            ip("-n", name, "addr", "add", f"10.77.0.{k + 1}/24", "dev", f"cable-{k}")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", f"cable-{k}", "up")
        yield names[0], names[1]
    finally:
        for name in made:
            ip("netns", "del", name)


def test_two_hosts_train_together(place: Path, hosts: tuple[str, str]) -> None:
    started = []
    for k, host in enumerate(hosts):
        launcher = (
            *("-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"),
            *(
                "--rdzv-backend",
                "c10d",
                "--rdzv-endpoint",
                "10.77.0.1:29400",
                "--rdzv-conf",
                f"is_host={1 - k}",
            ),
            *("--rdzv-id", "two", "--local-addr", f"10.77.0.{k + 1}"),
        )
        started.append(
            subprocess.Popen(
                ["ip", "netns", "exec", host, sys.executable, *launcher, *FIT, "-o", "hosts", *told(20)],
                cwd=place,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=os.environ | {"GLOO_SOCKET_IFNAME": f"cable-{k}", "OMP_NUM_THREADS": "1"},
            )
        )
    try:
        said = [process.communicate(timeout=240)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], said
    record = json.loads((place / "hosts" / "run.json").read_text())["processes"]
    assert (record["size"], record["launcher"]) == (2, "torchrun")
    assert (place / "hosts" / "scorecard.json").is_file()
    assert sum("scorecard" in text for text in said) == 1, "one process speaks"
