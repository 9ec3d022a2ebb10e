"""Filled: a checklist held against what is known of one model, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vesalius.evaluate import checklists
from vesalius.evaluate.cards.about import asked_for
from vesalius.evaluate.cards.entries import ASKED, FILLED, MAKER, NOT_APPLICABLE, OPEN
from vesalius.evaluate.cards.known import Known
from vesalius.evaluate.checklists.contract import Item


@dataclass(frozen=True, slots=True)
class FilledItem:
    """One item: number, part, what it asks for, its state (as `Entry.state`), the value, and where it stands."""

    number: str
    part: str
    asks: str
    state: str
    text: str
    where: str = ""


@dataclass(frozen=True, eq=False)
class FilledChecklist:
    """A checklist of one model; its `name` is the registered one."""

    name: str
    title: str
    source: str
    items: tuple[FilledItem, ...]

    def count(self, state: str) -> int:
        """Return how many items are in a state."""
        return sum(item.state == state for item in self.items)

    @property
    def summary(self) -> str:
        """How many items are filled, open and not applicable, in words."""
        states = ", ".join(f"{self.count(s)} {s}" for s in (FILLED, OPEN, NOT_APPLICABLE))
        return f"{states}, of {len(self.items)}"

    def plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        items: Sequence[dict[str, str]] = [
            {
                "item": i.number,
                "part": i.part,
                "asks": i.asks,
                "status": i.state,
                "value": i.text,
                "where": i.where,
            }
            for i in self.items
        ]
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "summary": self.summary,
            "items": items,
        }


def filled_in(known: Known) -> tuple[FilledChecklist, ...]:
    """Return every registered checklist, filled in as far as the model is known."""
    found = []
    for name in checklists.names():
        told = checklists.get(name)
        items = tuple(_filled(name, item, known) for item in told.items)
        found.append(FilledChecklist(name, told.title, told.source, items))
    return tuple(found)


def _filled(checklist: str, item: Item, k: Known) -> FilledItem:
    """Return one item: the maker's word on it first, then what is known with what the maker says of the rest."""
    state, text, where = _value(checklist, item, k)
    return FilledItem(item.number, item.part, item.asks, state, text, where)


def _value(checklist: str, item: Item, k: Known) -> tuple[str, str, str]:
    reason = k.about.not_applicable.get(f"{checklist} {item.number}")
    if reason:
        return NOT_APPLICABLE, reason, MAKER
    if own := k.about.of(checklist, item.number):
        return FILLED, own, MAKER
    lacking = [field for field in item.about if not getattr(k.about, field)]
    given = " ".join(str(getattr(k.about, field)) for field in item.about if field not in lacking)
    found = item.fill(k) if item.fill else None
    if found is None:
        if given and not lacking:
            return FILLED, given, MAKER
        ask = "; ".join(asked_for(field) for field in lacking) or item.asks
        return OPEN, f"{f'known: {given}; ' if given else ''}{ASKED}: {ask}", ""
    text = f"{found.text}. {given}" if given else found.text
    if found.missing and (lacking or not item.about):
        return OPEN, f"known: {text.rstrip('.')}; {ASKED}: {found.missing}", found.where
    return FILLED, text, found.where
