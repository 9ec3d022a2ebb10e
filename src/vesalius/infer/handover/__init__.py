"""Handovers: the ways in which a stage is given what an earlier one says of a case; one file a way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vesalius.core.registry import held

if TYPE_CHECKING:  # listing the ways loads no torch
    from vesalius.infer.handover.contract import Handover

KIND = "infer.handover"


def get(name: str) -> Handover:
    """Return the handover of that registered name. Raises UnknownName."""
    found: Handover = held(KIND, name, "HANDOVER")
    return found
