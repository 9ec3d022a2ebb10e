"""Looks: one file finds one sort of thing in a cohort, and `run` puts together what all of them find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from types import ModuleType
from typing import Any

from vesalius.cohorts import Decoded
from vesalius.core import registry
from vesalius.core.errors import UnknownName
from vesalius.reliability.finding import ORDER, Finding
from vesalius.reliability.looks.contract import Seen, Sight, TextReader

__all__ = ["KIND", "known", "measuring", "run"]

KIND = "reliability.looks"
READ = 60  # cases that are read for text


def known(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of looks, each once. Raises UnknownName for one that does not exist."""
    for name in names:
        if name not in registry.names(KIND):
            raise UnknownName(registry.singular(KIND), name, registry.names(KIND))
    return tuple(dict.fromkeys(names))


def measuring(cases: int, read_text: TextReader | None = None) -> Callable[[Decoded], Mapping[str, Any]]:
    """Return what measures a decoded case for all looks that keep something of it, by look.

    Of that many cases READ are read for text, evenly spread: reading takes seconds.
    """
    looks = {name: look.measure for name, look in _each() if hasattr(look, "measure")}
    turn, every = count(), max(1, -(-cases // READ))

    def measure(decoded: Decoded) -> Mapping[str, Any]:
        if decoded.fault is not None or decoded.reference is None:
            return {}
        sight = Sight(decoded, decoded.reference, read_text if next(turn) % every == 0 else None)
        return {name: kept for name, of in looks.items() if (kept := of(sight)) is not None}

    return measure


def run(seen: Seen) -> tuple[Finding, ...]:
    """Return what all looks find, each finding with its look's name, the worst first."""
    found = [replace(f, look=name) for name, look in _each() for f in look.find(seen)]
    return tuple(sorted(found, key=lambda f: ORDER[f.severity]))


def _each() -> Iterator[tuple[str, ModuleType]]:
    names = sorted(registry.names(KIND), key=lambda n: (registry.literals(KIND, n).get("ORDER", 90), n))
    return ((name, registry.lookup(KIND, name)) for name in names)
