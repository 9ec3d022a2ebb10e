"""Shown: what a terminal and a notebook show of a thing: a short text, a table with a picture, and a page.

A thing says its short text itself. Its table and its picture are made by the file of its class's name, in lower case,
in `vesalius/shown/`; it is looked up when they are asked for, so that nothing here draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.registry import lookup, names

MOST = 4  # names of a list that a short text holds
LONGEST = 60  # letters of a text within a short text


class Shown:
    """What has a short `repr`, a table with a picture in a notebook, and `show`."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__repr__" not in cls.__dict__:  # or else a dataclass would bring its long one
            cls.__repr__ = Shown.__repr__  # type: ignore[method-assign]

    def _words(self) -> Iterable[str]:
        """Return what the short text says, piece by piece; by default the public fields, each cut short."""
        for name, value in vars(self).items():
            empty = value is None or (isinstance(value, str | tuple | list | dict) and not value)
            if not name.startswith("_") and not empty:
                yield f"{name}={short(value)}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(w for w in self._words() if w)})"

    def _repr_html_(self) -> str:
        return str(self._view().html(self))

    def show(self, path: Path | str | None = None) -> Path | None:
        """Show it: in the notebook that runs this, or else as a page that the browser opens.

        The page is one file and loads nothing from elsewhere. It is written to `path`, or to a temporary file where
        that is not given; where there is no screen to open it on, a line on standard error says where it lies. A path
        that ends in `.png` gets the picture alone. Returns the path, or None where a notebook shows it.
        Raises OutputError where the path exists or cannot be written, or where there is no picture for a `.png`.
        """
        found: Path | None = self._view().show(self, None if path is None else Path(path))
        return found

    def _view(self) -> Any:
        known = names("shown")
        stem = next(c.__name__.lower() for c in type(self).__mro__ if c.__name__.lower() in known)
        return lookup("shown", stem).VIEW


def short(value: Any) -> str:
    """Return a value in a few letters: the size of an array, the first names of a list, the beginning of a text."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{size(value.shape)} {value.dtype}"
    if isinstance(value, str):
        return repr(cut(value))
    if isinstance(value, dict):
        return f"{{{some(map(str, value), len(value))}}}"
    if isinstance(value, (list, tuple)):
        return f"[{some(map(short, value[:MOST]), len(value))}]"
    if isinstance(value, float):
        return f"{value:.4g}"
    return cut(str(value))


def some(words: Iterable[str], count: int, most: int = MOST) -> str:
    """Return the first of `count` words, joined by commas, and how many more there are."""
    shown: Sequence[str] = [w for w, _ in zip(words, range(most), strict=False)]
    return ", ".join(shown) + (f" and {count - len(shown)} more" if count > len(shown) else "")


def cut(text: str, most: int = LONGEST) -> str:
    """Return a text on one line, its end left out where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def size(shape: Iterable[int]) -> str:
    """Return a shape in words: `24×96×96`."""
    return "×".join(map(str, shape))


def about(case_id: str) -> str:
    """Return a case's id as it stands in a short text; empty where there is none."""
    return repr(cut(case_id)) if case_id else ""
