"""One file = one question that can be asked of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.core.errors import RegisterError
from vesalius.core.joining import literals_in

MUST = ("TASK",)


def adopt(thing: Any, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a task's file would hold, of a class that is registered in the running process.

    Raises RegisterError for what is no task, or lacks a part of the contract.
    """
    from vesalius.tasks.contract import Task

    try:
        task = thing() if isinstance(thing, type) else thing
    except TypeError as error:  # an abstract method is left
        raise RegisterError(f"task '{name}' lacks a part of its contract", found=str(error)) from error
    if not isinstance(task, Task):
        raise RegisterError(f"'{name}' is no class of Task", found=type(task).__name__)
    if task.name != name:
        raise RegisterError(
            "a task is registered under its own name", found=f"'{name}' and '{task.name}'", hint=task.name
        )
    return {**literals_in(thing), **said, "TASK": task}
