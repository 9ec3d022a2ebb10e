"""How a case is run through a model: one file a way, chosen by a task's `run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vesalius.core.registry import held

if TYPE_CHECKING:  # listing the ways loads no torch
    from vesalius.infer.runs.contract import Run

KIND = "infer.runs"


def get(name: str) -> Run:
    """Return the run of that registered name. Raises UnknownName."""
    run: Run = held(KIND, name, "RUN")
    return run
