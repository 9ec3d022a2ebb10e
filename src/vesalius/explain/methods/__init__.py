"""Methods of explanation: one file a method, or a family of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vesalius.core.registry import lookup

if TYPE_CHECKING:  # listing the methods loads no torch
    from vesalius.explain.contract import Method, PartMethod

KIND = "explain.methods"


def get(name: str) -> Method | PartMethod:
    """Return the method of that registered name: of maps, or of whole parts of a case. Raises UnknownName."""
    module = lookup(KIND, name)
    found: Method | PartMethod = module.METHODS[name] if hasattr(module, "METHODS") else module.METHOD
    return found
