"""How progress is shown: bars on a terminal and in a notebook, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from html import escape as escaped
from typing import Any

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
REDRAWN_S = 0.25  # how often a notebook's bars are drawn anew, at most


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


@dataclass
class NotebookBars:
    """Bars and notes in the output of a notebook's cell, drawn anew a few times a second; no widgets are needed.

    `display` is IPython's module of that name.
    """

    display: Any
    counts: dict[str, Count] = field(default_factory=dict)
    handle: Any = None
    drawn: float = 0.0

    def start(self, name: str, total: int | None = None) -> None:
        """Begin a bar, or give one that is shown another total."""
        now = time.monotonic()
        if name in self.counts:
            self.counts[name].total = total
        else:
            self.counts[name] = Count(total, now, now)
        self._draw()

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Move a bar."""
        count = self.counts.get(name)
        if count is not None:
            count.done += done
            count.text = text or count.text
            self._draw(sparing=True)

    def finish(self, name: str) -> None:
        """Take a bar away."""
        if self.counts.pop(name, None) is not None:
            self._draw()

    def note(self, text: str) -> None:
        """Write a line, which stays."""
        self.display.display(self.display.HTML(f"<div>{escaped(text)}</div>"))

    def _draw(self, *, sparing: bool = False) -> None:
        now = time.monotonic()
        if sparing and now - self.drawn < REDRAWN_S:
            return
        self.drawn = now
        shown = self.display.HTML("".join(_bar(name, count, now) for name, count in self.counts.items()))
        if self.handle is None:
            self.handle = self.display.display(shown, display_id=True)
        else:
            self.handle.update(shown)
        if not self.counts:
            self.handle = None  # what comes later has a place of its own, below the notes


def _bar(name: str, count: Count, now: float) -> str:
    """Return one bar as HTML; without a total it runs."""
    known = f'value="{count.done}" max="{count.total}"' if count.total else ""
    left = ""
    if count.total and count.done:
        seconds = (now - count.began) / count.done * (count.total - count.done)
        left = f", about {seconds:.0f} s left"
    words = f"{count.done} of {count.total or '?'}{left} {count.text}".rstrip()
    return (
        f'<div style="display:flex;gap:.8em;align-items:center"><span style="min-width:8em">{escaped(name)}</span>'
        f'<progress {known} style="width:16em"></progress><span>{escaped(words)}</span></div>'
    )
