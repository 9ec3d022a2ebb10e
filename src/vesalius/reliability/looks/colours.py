"""Grey pictures in files that hold colours."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 61


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the pictures whose three channels are equal."""
    grey = tuple(f.case for f in seen.good if f.grey_in_colour)
    if not grey:
        return
    every = len(grey) == len(seen.good)
    text = "all pictures are" if every else f"{counted(len(grey), 'picture is', 'pictures are')}"
    hint = "`fit` learns one channel of each" if every else "beside those in colour they are read as colour"
    yield Finding(
        "note", "grey in colour files", grey, f"{text} grey, although their files hold colours", hint
    )
