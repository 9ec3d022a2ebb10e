"""What computes a member's raw outputs: one file a runtime, chosen by `predict --runtime` or by a bundle's stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vesalius.core.registry import held

if TYPE_CHECKING:
    from vesalius.infer.runtimes.contract import Runtime

KIND = "infer.runtimes"
TORCH = "torch"  # the members themselves


def get(name: str) -> Runtime:
    """Return the runtime of that registered name. Raises UnknownName."""
    found: Runtime = held(KIND, name, "RUNTIME")
    return found
