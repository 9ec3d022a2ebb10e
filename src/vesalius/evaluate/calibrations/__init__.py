"""Calibrations: one file = one thing that `calibrate` can fit anew on cases of its own, beside what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from vesalius.core import registry

if TYPE_CHECKING:  # listing what there is loads nothing
    from vesalius.evaluate.calibrations.contract import Refit

KIND = "evaluate.calibrations"


def get(name: str) -> Refit:
    """Return what fits that anew. Raises UnknownName."""
    return cast("Refit", registry.held(KIND, name, "REFIT"))


def in_order(names: tuple[str, ...]) -> tuple[Refit, ...]:
    """Return what fits each of these, each once and in the order in which one stands on another. Raises UnknownName."""
    return tuple(sorted((get(name) for name in dict.fromkeys(names)), key=lambda refit: refit.order))
