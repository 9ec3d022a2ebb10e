"""Registrations: one file a way of laying one image of a patient over another one; chosen by `--registration`."""

from __future__ import annotations

from vesalius.core.registry import held, literals, names, stem_of
from vesalius.prepare.aligning.contract import Aligner

KIND = "prepare.aligning"


def get(name: str) -> Aligner:
    """Return the way of that registered name. Raises UnknownName."""
    way: Aligner = held(KIND, name, "ALIGNER")
    return way


def usual() -> str:
    """Return the way that is taken where nobody names one: the first by RANK of those whose library is installed."""
    ranked = sorted(names(KIND), key=lambda name: (literals(KIND, stem_of(KIND, name)).get("RANK", 0), name))
    return next(name for name in reversed(ranked) if get(name).ready())
