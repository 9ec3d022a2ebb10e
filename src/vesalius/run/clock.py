"""How much of a run's time limit is left, kept in its folder, so that a run that is resumed does not begin anew."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vesalius.core.disk import write_text
from vesalius.core.errors import VesaliusError
from vesalius.plan.budget import seconds

CLOCK = "clock.json"
KEPT = (  # what a killed run last wrote says when it still ran
    "plan.json",
    "checkpoints/*.pt",
    "logs/*.csv",
    "trials/*/*.json",
    "trials/*/checkpoints/*.pt",
    "confirm/*.json",
    "work/*/checkpoints/*.pt",
)


def left(path: Path, told: Mapping[str, Any]) -> float | None:
    """Return the seconds that are left of the limit of the run in `path`; None where it has no limit.

    A run that ended in an orderly way wrote down what it had used; of one that was killed, what counts is the time
    of its last checkpoint. `told` is its run.json: that of a run without a clock file still says its limit.
    """
    try:
        clock = json.loads((path / CLOCK).read_text(encoding="utf-8"))
        limit, used, since = clock["left_s"], float(clock["used_s"]), clock["since"]
    except (OSError, ValueError, KeyError, TypeError):
        said = told.get("time_limit")
        limit, used = (None if said is None else seconds(said)), 0.0
        since = (path / "run.json").stat().st_mtime
    if limit is None:
        return None
    if since is not None:
        used = _last_written(path) - float(since)
    return max(0.0, float(limit) - max(0.0, used))


@contextmanager
def on_the_clock(path: Path, left_s: float | None, began: float) -> Iterator[None]:
    """Keep in `path` what is left when this block begins, and, however it ends, what was used by then.

    `left_s` counts from `began`, a `time.monotonic()`.
    """
    since = time.time() - (time.monotonic() - began)
    _write(path, left_s, 0.0, since)
    try:
        yield
    finally:
        with contextlib.suppress(VesaliusError):  # a full disk must not hide why the run ended
            _write(path, left_s, time.monotonic() - began, None)


def _write(path: Path, left_s: float | None, used_s: float, since: float | None) -> None:
    about = {"left_s": left_s, "used_s": round(used_s, 3), "since": since}
    write_text(path / CLOCK, json.dumps(about) + "\n")


def _last_written(path: Path) -> float:
    times = []
    for pattern in KEPT:
        for found in path.glob(pattern):
            with contextlib.suppress(OSError):
                times.append(found.stat().st_mtime)
    return max(times, default=0.0)
