"""Ways of compressing a model: one file a way, or a family of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vesalius.core.registry import lookup, names

if TYPE_CHECKING:  # listing the ways loads no torch
    from vesalius.compress.contract import Way

KIND = "compress.ways"


def get(name: str) -> Way:
    """Return the way of that registered name. Raises UnknownName."""
    module = lookup(KIND, name)
    found: Way = module.WAYS[name] if hasattr(module, "WAYS") else module.WAY
    return found


def adopt(thing: Any, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file of a way would hold, of a class or an instance that a script registers."""
    return {**said, "WAY": thing() if isinstance(thing, type) else thing}


def in_order() -> tuple[str, ...]:
    """Return the names of all ways, the cheapest to try first."""
    return tuple(sorted(names(KIND), key=lambda name: (get(name).cost, name)))
