"""Mirror images at answering: only where a task, and the way in which it is run, say that raw answers can be joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from vesalius.core import registry
from vesalius.core.errors import PlanError

ROOM = "infer.runs"


class Ran(Protocol):
    """What must be known of a task: its name, how its cases are run, and whether it takes mirror images.

    One that `turns_back` makes of a raw answer about a mirror image one about the image itself.
    """

    name: ClassVar[str]
    run: ClassVar[str]
    mirrors: ClassVar[bool]
    turns_back: ClassVar[bool]


def why_unmirrored(task: Ran) -> str | None:
    """Return in words why a task's raw answers about mirror images cannot be joined; None where they can be.

    Raises UnknownName for a way of running that does not exist.
    """
    joined = registry.literals(ROOM, registry.stem_of(ROOM, task.run)).get("MIRRORS", True)
    if not joined and not task.turns_back:
        return f"a task that is run in {task.run}"
    return None if task.mirrors else "a task that does not say `mirrors = True`"


def assert_joined(task: Ran, axes: Sequence[str], *, hint: str) -> None:
    """Raise PlanError where a task's raw answers about images mirrored along `axes` cannot be joined."""
    why = why_unmirrored(task) if axes else None
    if why is not None:
        raise PlanError(
            f"the answers of {task.name} about mirror images cannot be joined", found=why, hint=hint
        )
