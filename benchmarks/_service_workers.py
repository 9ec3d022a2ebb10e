"""Service processes on one queue under kill -9, and clients that call whichever answers."""

from __future__ import annotations

import io
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image as Pil

LEASE_S = 5.0
_ENDED = ("done", "failed", "cancelled")


def main(words: Sequence[str]) -> None:
    """Be one service process: BUNDLE QUEUE FOLDER PORT AUDIT."""
    from vesalius.serve.http.server import run_service
    from vesalius.serve.http.shared.sharing import Shared

    bundle, queue, folder, port, audit = words
    run_service(
        [f"model={bundle}"],
        port=int(port),
        audit=Path(audit),
        devices=["cpu"],
        selftest=False,
        runtime="torch",
        shared=Shared(queue, Path(folder), lease_s=LEASE_S),
    )


@dataclass
class Workers:
    """Two service processes at ports of their own, which may be killed and started again."""

    bundle: Path
    queue: str
    folder: Path
    count: int = 2
    kills: int = 0
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ports = [_free_port() for _ in range(self.count)]
        self._starts = [0] * self.count
        self._processes = [self._begin(k) for k in range(self.count)]
        for k in range(self.count):
            self.wait(k)

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def audits(self) -> list[Path]:
        """Return the audit logs of all processes that there were."""
        return sorted(self.folder.glob("audit-*.jsonl"))

    def _begin(self, k: int) -> subprocess.Popen[bytes]:
        self._starts[k] += 1
        audit = self.folder / f"audit-{k}-{self._starts[k]}.jsonl"
        words = [str(self.bundle), self.queue, str(self.folder / "shared"), str(self.ports[k]), str(audit)]
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks._service_workers", *words],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"said-{k}.txt").open("ab"),
        )

    def wait(self, k: int, timeout_s: float = 300.0) -> None:
        """Wait until a process is ready."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            try:
                if httpx.get(f"{self.urls[k]}/ready", timeout=10).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"service process {k} does not answer")

    def kill(self, k: int) -> None:
        """Kill a process as a power cut does."""
        self._processes[k].send_signal(signal.SIGKILL)
        self._processes[k].wait()
        self.kills += 1

    def again(self, k: int) -> None:
        """Start a killed process again."""
        self._processes[k] = self._begin(k)

    def stop(self) -> list[int]:
        """End all processes as they are told to. Returns their exit codes."""
        for process in self._processes:
            process.terminate()
        return [process.wait(60) for process in self._processes]


@dataclass(frozen=True)
class Outcome:
    """What became of a request that was accepted: its picture, and the job as it was told at the end."""

    picture: int
    job: dict[str, Any]


def picture(k: int, side: int) -> bytes:
    """Return a PNG that no other number has."""
    rng = np.random.default_rng(k)
    buffer = io.BytesIO()
    Pil.fromarray(rng.integers(0, 255, (side, side), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def storm(
    workers: Workers, requests: int, kills: int, *, seed: int, side: int, at_once: int = 4
) -> list[Outcome]:
    """Send requests to all processes in turn while the last one is killed at random moments. Returns all outcomes."""
    rng = random.Random(seed)
    asked = threading.Semaphore(0)

    def one(k: int) -> tuple[int, str]:
        try:
            study = _call(workers, k, "/api/studies", files=[("files", (f"{k}.png", picture(k, side)))])
            job = _call(workers, k + 1, "/api/jobs", json={"study": study["study"]})  # at another process
            return k, str(job["job"])
        finally:
            asked.release()

    def killing() -> None:
        victim, moments = workers.count - 1, sorted(rng.sample(range(1, requests), kills))
        seen = 0
        for moment in moments:
            while seen < moment:
                asked.acquire()
                seen += 1
            time.sleep(rng.uniform(0, 0.5))
            workers.kill(victim)
            time.sleep(rng.uniform(0, 1.0))
            workers.again(victim)
            workers.wait(victim)

    killer = threading.Thread(target=killing)
    killer.start()
    with ThreadPoolExecutor(at_once) as pool:
        accepted = list(pool.map(one, range(requests)))
    killer.join()
    return [Outcome(k, _ended(workers, k, job)) for k, job in accepted]


def _call(workers: Workers, k: int, path: str, **what: Any) -> dict[str, Any]:
    """Return what a process answers; where it is not there or sheds load, what another says a moment later."""
    end = time.monotonic() + 600
    for url in _in_turn(workers.urls, k):
        if time.monotonic() > end:
            break
        try:
            got = httpx.request("POST" if what else "GET", f"{url}{path}", timeout=60, **what)
        except httpx.HTTPError:  # killed at this moment
            time.sleep(0.05)
            continue
        if got.status_code in (429, 503):
            time.sleep(min(2.0, float(got.headers.get("Retry-After", 1))))
            continue
        found: dict[str, Any] = got.raise_for_status().json()
        return found
    raise RuntimeError(f"{path} was not answered in time")


def _ended(workers: Workers, k: int, job: str) -> dict[str, Any]:
    end = time.monotonic() + 600
    while time.monotonic() < end:
        found = _call(workers, k, f"/api/jobs/{job}")
        if found["status"] in _ENDED:
            return found
        time.sleep(0.1)
    raise RuntimeError(f"the job {job} did not end")


def _in_turn(urls: Sequence[str], k: int) -> Iterator[str]:
    while True:
        yield urls[k % len(urls)]
        k += 1


def _free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


if __name__ == "__main__":
    main(sys.argv[1:])
