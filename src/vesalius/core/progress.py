"""Progress, as the rooms report it: names, totals and notes. How it is shown is the caller's business."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

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


def track(items: Iterable[T], progress: Progress, name: str, total: int | None = None) -> Iterator[T]:
    """Iterate while reporting."""
    progress.start(name, total)
    try:
        for item in items:
            yield item
            progress.advance(name)
    finally:
        progress.finish(name)
