"""The terms of `report` as a state keeps them: all of a file of terms as plain data, for a bundle holds no paths."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from vesalius.texts.suiting import suited
from vesalius.texts.terms import Place, Shown, Term, Terms


def chosen(word: str, reports: Sequence[str], names: Collection[str] = ()) -> Terms:
    """Return the terms of that name or file; where none is named, those that suit these reports and findings best.

    Raises UnknownName, DataError.
    """
    return Terms.asked(word) if word else suited(reports, names)


def kept(terms: Terms) -> dict[str, Any]:
    """Return terms as plain data."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(terms)))
    return found


def held(data: Mapping[str, Any]) -> Terms:
    """Return terms from their plain data."""
    return _held(json.dumps(data, sort_keys=True))


@lru_cache(maxsize=8)
def _held(text: str) -> Terms:
    data = json.loads(text)
    return Terms(
        name=data["name"],
        version=data["version"],
        terms=tuple(Term(**_tuples(one)) for one in data["terms"]),
        shown=tuple(Shown(**_tuples(one)) for one in data["shown"]),
        places=tuple(Place(**_tuples(one)) for one in data["places"]),
        digest=data["digest"],
    )


def _tuples(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in one.items()}


def spoken(terms: Terms, name: str) -> str:
    """Return how a finding is called in a plain sentence: the first of what reports call it."""
    term = terms.by_name.get(name)
    return name if term is None else term.says[0].replace("|", " or ")
