"""How progress is shown: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

EVERY_S = 15.0


class Bars:
    """Rich bars with elapsed time and estimate; notes scroll above them."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bars = Progress(
            TextColumn("[bold]{task.description:<14}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            console=self.console,
            transient=True,
        )
        self.known: dict[str, TaskID] = {}

    def start(self, name: str, total: int | None = None) -> None:
        """A new bar, or another total for one that is shown."""
        if name in self.known:
            self.bars.update(self.known[name], total=total)
            return
        if not self.known:
            self.bars.start()
        self.known[name] = self.bars.add_task(escape(name), total=total, text="")

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Move it."""
        if name in self.known:
            if text:
                self.bars.update(self.known[name], text=escape(text))
            self.bars.advance(self.known[name], done)

    def finish(self, name: str) -> None:
        """Take it away."""
        task = self.known.pop(name, None)
        if task is not None:
            self.bars.remove_task(task)
        if not self.known:
            self.bars.stop()

    def note(self, text: str) -> None:
        """A line above the bars."""
        self.console.print(escape(text), soft_wrap=True)


@dataclass
class Count:
    """How far one piece of work is."""

    total: int | None
    began: float
    said: float
    done: int = 0
    text: str = ""


class Lines:
    """Plain lines, at most one every few seconds a piece of work, and one when it ends."""

    def __init__(self) -> None:
        self.counts: dict[str, Count] = {}

    def start(self, name: str, total: int | None = None) -> None:
        """Remember it, or its new total."""
        if name in self.counts:
            self.counts[name].total = total
            return
        now = time.monotonic()
        self.counts[name] = Count(total, now, now)

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Count, and say so now and then."""
        count = self.counts.get(name)
        if count is None:
            return
        count.done += done
        count.text = text or count.text
        now = time.monotonic()
        if now - count.said >= EVERY_S:
            count.said = now
            left = ""
            if count.total and count.done:
                seconds = (now - count.began) / count.done * (count.total - count.done)
                left = f", about {seconds:.0f} s left"
            self.note(f"{name}: {count.done}/{count.total or '?'}{left} {count.text}".rstrip())

    def finish(self, name: str) -> None:
        """Say how long it took, if it was long enough to matter."""
        count = self.counts.pop(name, None)
        if count is not None and time.monotonic() - count.began >= 1.0:
            took = time.monotonic() - count.began
            self.note(f"{name}: {count.done} done in {took:.1f} s {count.text}".rstrip())

    def note(self, text: str) -> None:
        """A line."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
