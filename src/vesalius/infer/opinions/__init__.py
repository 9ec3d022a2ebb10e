"""Ways of having several opinions about one case: one file a way, chosen by `predict --doubt`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vesalius.core.registry import held

if TYPE_CHECKING:  # listing the ways loads no torch
    from vesalius.infer.opinions.contract import Way

KIND = "infer.opinions"


def get(name: str) -> Way:
    """Return the way of that registered name. Raises UnknownName."""
    way: Way = held(KIND, name, "WAY")
    return way
