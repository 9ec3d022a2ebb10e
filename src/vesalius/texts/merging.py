"""Several lists of terms as one, about findings whose names are known: labels of a model, findings of an answer."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.texts.terms import Term, Terms, listed


def merged(names: Sequence[str], terms: Terms | None = None) -> Terms:
    """Return terms for findings of these names, with the synonyms that lists of terms have for them.

    The lists are `terms`, or all that come with Vesalius. What means one thing in one list and another in the next (a
    nodule is a mass in a breast) is the name that was given. Findings of the lists that have no such name keep theirs.
    """
    lists = [terms] if terms is not None else [Terms.named(name) for name in listed()]
    known = {name.casefold(): name for name in names}
    said: dict[str, list[str]] = {name: both_numbers(name) for name in names}
    for one in (t for each in lists for t in each.terms):
        name = known.get(one.name.casefold())
        if name is None:
            name = next((known[s.casefold()] for s in one.says if s.casefold() in known), one.name)
        said.setdefault(name, []).extend(s for s in (one.name, *one.says) if s not in said.get(name, []))
    taken = {own.casefold(): name for name in names for own in both_numbers(name)}
    for name, phrases in said.items():
        for phrase in phrases:
            taken.setdefault(phrase.casefold(), name)
    made = [
        Term(
            name=name, says=tuple(p for p in dict.fromkeys(phrases) if taken[p.casefold()] == name) or (name,)
        )
        for name, phrases in said.items()
    ]
    places = {place.name: place for each in lists for place in each.places}
    held = tuple(p for p in places.values() if p.name.casefold() not in known)
    shown = tuple(one for each in lists for one in each.shown if all(name in said for name in one.names))
    return Terms(name="asked", version=1, terms=tuple(made), shown=shown, places=held)


def both_numbers(name: str) -> list[str]:
    """Return a word as one thing and as several."""
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return [name, f"{name[:-1]}ies"]
    return [name, f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"]
