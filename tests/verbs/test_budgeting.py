"""Reading that takes too long is refused while it reads, not when the time is over."""

from __future__ import annotations

import time

import pytest

from vesalius.core.errors import BudgetError
from vesalius.core.progress import Silent
from vesalius.run.limited import Limited


def test_reading_that_would_take_all_of_the_time_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shown = Limited(Silent(), 0.0, 60.0)
    now[0] = 2.0
    shown.start("check", 1000)
    for _ in range(9):  # a tenth of a second for each: 102 s in all
        now[0] += 0.1
        shown.advance("check")
    now[0] += 0.1
    with pytest.raises(
        BudgetError, match=r"too short.*: reading and checking 1000 cases.* of 60 s; try: --time-limit 3m"
    ):
        shown.advance("check")
    quicker = Limited(Silent(), 0.0, 120.0)
    quicker.start("check", 1000)
    for _ in range(100):
        now[0] += 0.1
        quicker.advance("check")
    quicker.finish("check")
