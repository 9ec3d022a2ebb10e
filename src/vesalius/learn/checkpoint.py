"""A member's checkpoint: whole or not at all, and read without unpickling code."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vesalius.core.disk import write_bytes
from vesalius.core.errors import BundleError


@dataclass
class Checkpoint:
    """Everything a member needs to go on as if nothing had happened. Draws depend on the step alone."""

    step: int = 0
    model: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_score: float = float("-inf")
    best_step: int = 0
    stale: int = 0
    loss_sum: Tensor = field(default_factory=lambda: torch.zeros(()))
    loss_n: int = 0
    part_sum: Tensor = field(
        default_factory=lambda: torch.zeros(())
    )  # of the loss since the last of `losses`
    part_n: int = 0
    losses: list[list[float]] = field(default_factory=list)  # step, and the mean loss since the one before
    done: bool = False
    ran_out: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    changes: list[list[int]] = field(default_factory=list)  # of the course: step, steps, threads
    extra: dict[str, Any] = field(
        default_factory=dict
    )  # what a recipe keeps besides, tensors and plain values


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write beside, fsync, put in place. Raises OutputError."""
    buffer = io.BytesIO()  # on a full disk torch's own writer raises nothing that can be told apart
    torch.save(vars(checkpoint), buffer)
    write_bytes(path, buffer.getvalue())


def load(path: Path) -> Checkpoint:
    """Read one back. Raises BundleError where it is damaged."""
    try:
        return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises half a dozen types here
        raise BundleError(
            f"{path} is a damaged checkpoint",
            found=type(error).__name__,
            hint="remove it and resume: that member begins again",
        ) from error
