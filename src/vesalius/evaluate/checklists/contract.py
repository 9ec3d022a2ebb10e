"""The contract of a checklist: its items in words of our own, and how each is filled in from what is known.

A file of this kind ends in `CHECKLIST = Checklist(…)`. An item is filled only from what is really known: it is `open`
where a part of it is missing, and the report then says which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vesalius.evaluate.cards.found import Found
from vesalius.evaluate.cards.known import Known

Fill = Callable[[Known], Found | None]


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its number in the paper, its part of the paper, what it asks for, and what fills it in.

    `about` names the fields of `about.yaml` that answer the whole of it. Without `fill` only the maker can answer it.
    """

    number: str
    part: str
    asks: str
    about: tuple[str, ...] = ()
    fill: Fill | None = None


@dataclass(frozen=True)
class Checklist:
    """A checklist: its name, the paper that it is from, and its items in the order of the paper."""

    title: str
    source: str
    items: tuple[Item, ...]
