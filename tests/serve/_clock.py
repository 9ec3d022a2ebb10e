"""Time that passes at a test's word: limits may be as long as any machine needs, and still end at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from vesalius.serve.node.guard import Limits

CALM = Limits(first_s=60, pdu_s=60, idle_s=150, associations=8)  # of a node whose clock a test puts forward


class Clock:
    """A monotonic clock that may be put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def put_forward(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Let so many seconds pass for all that waits on a loop in another thread."""
    before: Any = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]
    loop.call_soon_threadsafe(lambda: None)  # it looks at its clock
