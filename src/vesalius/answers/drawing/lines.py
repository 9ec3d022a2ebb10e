"""Lines: what an answer says, a line a figure, for a table beside its picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: a name and what is said of it.

    `share`, from 0 to 1, is drawn as a bar; `colour` (`#rrggbb`) is that of the name's label in the picture.
    """

    name: str
    text: str
    share: float | None = None
    colour: str | None = None
