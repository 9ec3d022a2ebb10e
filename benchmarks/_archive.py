"""An archive in a process of its own, which a benchmark kills: `python -m benchmarks._archive SETTINGS.json`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks import _record
from vesalius.core.progress import Silent
from vesalius.run.archive.answering import Answerer
from vesalius.run.archive.begin import answer_archive
from vesalius.run.archive.order import Job, Order, Result
from vesalius.run.archive.processes import Processes
from vesalius.run.archive.told import Archive
from vesalius.run.predict_settings import PredictSettings

POISON = "poison"  # the study that ends every worker


class Poisoned:
    """An Answerer whose process ends by SIGSEGV when it comes to the poisoned study."""

    def __init__(self, order: Order) -> None:
        self.answer = Answerer(order)

    def __call__(self, job: Job) -> Result:
        if job.study.startswith(POISON):
            os.kill(os.getpid(), signal.SIGSEGV)
        return self.answer(job)


class Clocked(Silent):
    """Progress that writes down when each study was done."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a", encoding="utf-8")

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Write the moment."""
        self.file.write(f"{time.monotonic()}\n")
        self.file.flush()


def _lead(told: dict[str, Any]) -> None:
    workers = int(told["workers"])

    def pool(order: Order) -> Processes:
        return Processes(replace(order, threads=1), workers, answerer=Poisoned)

    answer_archive(
        told["bundle"],
        told["source"],
        Path(told["out"]),
        archive=Archive(workers=workers, tries=int(told.get("tries", 3))),
        settings=PredictSettings(runtime="torch", dicom=bool(told.get("dicom"))),
        device="cpu",
        resume=bool(told.get("resume")),
        progress=Clocked(Path(told["clock"])),
        pool_of=pool,
    )


class Leading:
    """A leader that runs, as a benchmark sees it."""

    def __init__(self, folder: Path, **told: Any) -> None:
        self.clock = folder / f"{Path(told['out']).name}.clock"
        settings = folder / "told.json"
        settings.write_text(json.dumps({**told, "clock": str(self.clock)}), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._archive", str(settings)],
            cwd=_record.ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.rss: list[tuple[int, int, int]] = []  # studies done, bytes of the leader, of the largest worker

    def done(self) -> int:
        """How many studies were done, over all leaders of this folder."""
        return self.clock.read_text(encoding="utf-8").count("\n") if self.clock.is_file() else 0

    def look(self) -> None:
        """Take down what memory is held."""
        with suppress(psutil.Error):
            own = psutil.Process(self.process.pid)
            each = [c.memory_info().rss for c in own.children(recursive=True)]
            self.rss.append((self.done(), own.memory_info().rss, max(each, default=0)))

    def until(self, reached: Callable[[], bool], *, limit_s: float) -> None:
        """Wait, and look. Raises RuntimeError where the leader fails, or after `limit_s`."""
        began = time.monotonic()
        while not reached():
            if self.process.poll() not in (None, 0) or time.monotonic() - began > limit_s:
                self.process.kill()
                raise RuntimeError((self.process.communicate()[1] or "it took too long")[-2000:])
            if self.process.poll() == 0:
                return
            self.look()
            time.sleep(0.2)

    def reach(self, done: int, *, limit_s: float) -> None:
        """Wait until so many studies were done."""
        self.until(lambda: self.done() >= done, limit_s=limit_s)

    def finish(self, *, limit_s: float) -> None:
        """Wait for the end."""
        self.until(lambda: self.process.poll() == 0, limit_s=limit_s)

    def rate(self, skipped: float = 0.1) -> float:
        """Studies a second, without the first ones, in which workers load."""
        times = [float(line) for line in self.clock.read_text(encoding="utf-8").split()]
        first = int(skipped * len(times))
        return (len(times) - 1 - first) / (times[-1] - times[first])


if __name__ == "__main__":
    _lead(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
