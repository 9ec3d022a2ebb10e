"""Progress, as the rooms report it: names, totals and notes; and who watches it where nobody says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from vesalius.core.notebook import notebook

T = TypeVar("T")


class Progress(Protocol):
    """What a caller may hand in to be told how far the work is."""

    def start(self, name: str, total: int | None = None) -> None:
        """A piece of work begins; `total` units where that is known. Begun again, it has another total from now on."""

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """`done` more units of it are finished; `text` is a short figure to show beside (a loss)."""

    def finish(self, name: str) -> None:
        """It is over."""

    def note(self, text: str) -> None:
        """A line worth reading."""


class Silent:
    """Progress that nobody watches."""

    def start(self, name: str, total: int | None = None) -> None:
        """Nothing."""

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Nothing."""

    def finish(self, name: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


_BESIDE: ContextVar[Callable[[Progress], Progress] | None] = ContextVar("beside", default=None)


@contextmanager
def listening(wrap: Callable[[Progress], Progress]) -> Iterator[None]:
    """Inside this block, let `wrap` hear the progress of every verb, beside who watches it."""
    token = _BESIDE.set(wrap)
    try:
        yield
    finally:
        _BESIDE.reset(token)


def watched(progress: Progress | bool | None) -> Progress:
    """Return what is told how far the work of a verb is.

    A Progress is itself; None shows bars in a notebook and on a terminal, and nothing elsewhere; True shows plain lines
    on standard error there, too; False shows nothing. Inside `listening`, something else hears it as well.
    """
    shown, wrap = _shown(progress), _BESIDE.get()
    return shown if wrap is None else wrap(shown)


def _shown(progress: Progress | bool | None) -> Progress:
    if progress is False:
        return Silent()
    if progress is not None and progress is not True:
        return progress
    from vesalius.core.bars import Bars, Lines, NotebookBars

    display = notebook()
    if display is not None:
        return NotebookBars(display)
    if sys.stderr is not None and sys.stderr.isatty():
        return Bars()
    return Lines() if progress else Silent()


def track(items: Iterable[T], progress: Progress, name: str, total: int | None = None) -> Iterator[T]:
    """Iterate while reporting."""
    progress.start(name, total)
    try:
        for item in items:
            yield item
            progress.advance(name)
    finally:
        progress.finish(name)
