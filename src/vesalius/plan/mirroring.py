"""Mirror images at answering: only where raw answers about them can be joined, which the way of running a case says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from vesalius.core import registry
from vesalius.core.errors import PlanError

ROOM = "infer.runs"


class Ran(Protocol):
    """What must be known of a task: its name and the way in which its cases are run."""

    name: ClassVar[str]
    run: ClassVar[str]


def joins_mirrored(run: str) -> bool:
    """Return whether a way of running a case joins raw answers about mirror images. Raises UnknownName."""
    return bool(registry.literals(ROOM, registry.stem_of(ROOM, run)).get("MIRRORS", True))


def assert_joined(task: Ran, axes: Sequence[str], *, hint: str) -> None:
    """Raise PlanError where a task's raw answers about images mirrored along `axes` cannot be joined."""
    if axes and not joins_mirrored(task.run):
        raise PlanError(
            f"the answers of {task.name} about mirror images cannot be joined",
            found=f"a task that is run in {task.run}",
            hint=hint,
        )
