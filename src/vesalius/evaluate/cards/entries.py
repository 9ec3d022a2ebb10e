"""Entries: one thing that a card says or leaves open, and sections of them; alike in Markdown, HTML and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vesalius.answers.drawing.panels import Table
from vesalius.evaluate.cards.about import About, asked_for

FILLED, OPEN, NOT_APPLICABLE = "filled", "open", "not applicable"
MAKER = "stated by the maker"
ASKED = "to be filled in by the maker"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a card says: its name, what is known or what is to be filled in, and which of these it is.

    `state` is `filled`, `open` or `not applicable`; `where` says where it is from, or where in the report it is found.
    """

    name: str
    text: str
    state: str = FILLED
    where: str = ""


@dataclass(frozen=True, eq=False)
class Section:
    """Entries under one heading, with tables of figures below; `text` says what they are."""

    key: str
    title: str
    entries: Sequence[Entry]
    tables: Sequence[Table] = ()
    text: str = ""

    @property
    def open(self) -> int:
        """How many of its entries are open."""
        return sum(entry.state == OPEN for entry in self.entries)


def known(name: str, text: str, *, ask: str = "", where: str = "") -> Entry:
    """Return what is known, or where that is nothing, what is to be filled in."""
    return Entry(name, text, where=where) if text else Entry(name, f"{ASKED}: {ask}", OPEN)


def stated(name: str, about: About, *fields: str) -> Entry:
    """Return what the maker says in some fields together, or what the first of them asks for."""
    said = " ".join(str(getattr(about, field)) for field in fields if getattr(about, field))
    return known(name, said, ask=asked_for(fields[0]), where=MAKER)


def not_measured(name: str, how: str) -> Entry:
    """Return an entry that is open because something was not measured, and how it can be."""
    return Entry(name, f"not measured: {how}", OPEN)


def plain(section: Section) -> dict[str, Any]:
    """Return a section as JSON takes it."""
    tables = [
        {"title": t.title, "heads": list(t.heads), "rows": [[c.text for c in row] for row in t.rows]}
        for t in section.tables
    ]
    entries: list[Mapping[str, str]] = [
        {"name": e.name, "state": e.state, "text": e.text, "where": e.where} for e in section.entries
    ]
    return {"title": section.title, "text": section.text, "entries": entries, "tables": tables}
