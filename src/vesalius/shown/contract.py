"""The contract of a view: how things of one class are shown in a notebook, on a page and as a picture.

The file is named after the class in lower case (`cohort.py` for `Cohort`) and holds one instance of `View`, named VIEW.
A class without a file of its own is shown as the next of its bases that has one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from vesalius.answers.drawing.lines import Line
from vesalius.core.disk import write_bytes
from vesalius.core.errors import OutputError
from vesalius.core.notebook import notebook
from vesalius.shown._markup import as_image, page, table, titled

T = TypeVar("T")


class View(ABC, Generic[T]):
    """How things of one class are shown. All but `lines` has a default."""

    @abstractmethod
    def lines(self, thing: T) -> Sequence[Line]:
        """Return the table: a line for each thing worth knowing."""

    def name(self, thing: T) -> str:
        """Return what the thing is called."""
        return ""

    def picture(self, thing: T) -> bytes | None:
        """Return a PNG of the thing; None where there is no picture of it."""
        return None

    def before(self, thing: T) -> str:
        """Return HTML that stands before the table: what must be read first."""
        return ""

    def after(self, thing: T) -> str:
        """Return HTML that stands behind the table."""
        return ""

    def html(self, thing: T) -> str:
        """Return the thing as a piece of HTML, for a notebook."""
        picture = self.picture(thing)
        shown = as_image(picture, self.name(thing)) if picture is not None else ""
        head = titled(type(thing).__name__, self.name(thing))
        return f"<div>{head}{self.before(thing)}{shown}{table(self.lines(thing))}{self.after(thing)}</div>"

    def page(self, thing: T) -> str:
        """Return the thing as a whole page that loads nothing from elsewhere."""
        return page(f"{type(thing).__name__} {self.name(thing)}".strip(), self.html(thing))

    def show(self, thing: T, path: Path | None) -> Path | None:
        """Show the thing in the notebook that runs this, or write its page to `path` or to a temporary file."""
        if path is None and (display := notebook()) is not None:
            display.display(display.HTML(self.html(thing)))
            return None
        if path is not None and path.suffix.lower() == ".png":
            picture = self.picture(thing)
            if picture is None:
                raise OutputError(f"there is no picture of this {type(thing).__name__}", hint="a path .html")
            return _write(path, picture)
        if path is not None:
            return _write(path, self.page(thing).encode())
        folder = Path(tempfile.mkdtemp(prefix="vesalius-"))  # of this user alone
        made = _write(folder / f"{type(thing).__name__.lower()}.html", self.page(thing).encode())
        if not opened(made):
            sys.stderr.write(f"shown in {made}\n")
        return made


def opened(path: Path) -> bool:
    """Open a page in the browser, and return whether there is a screen for one."""
    elsewhere = sys.platform in ("darwin", "win32")
    if not elsewhere and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False  # a browser of a terminal would take the terminal
    try:
        return webbrowser.open(path.as_uri())
    except webbrowser.Error:
        return False


def _write(path: Path, data: bytes) -> Path:
    if path.exists():
        raise OutputError(f"{path} exists; nothing is overwritten", hint="another path")
    write_bytes(path, data)
    return path


def facts(*pairs: tuple[str, Any]) -> list[Line]:
    """Return lines of names and what is known under them, without those of which nothing is."""
    return [Line(name, str(value)) for name, value in pairs if value not in (None, "", 0)]
