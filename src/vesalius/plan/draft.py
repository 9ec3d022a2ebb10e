"""A plan in the making: values by path, and the reason of each."""

from __future__ import annotations

from typing import Any


class Draft:
    """What rules and a task have decided so far: `values` and `reasons` by path, such as `train.lr`."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.reasons: dict[str, str] = {}

    def set(self, path: str, value: Any, reason: str) -> None:
        """Set one value, and say why."""
        self.values[path] = value
        self.reasons[path] = reason

    def propose(self, path: str, value: Any, reason: str) -> None:
        """Set one value unless it is set already."""
        if path not in self.values:
            self.set(path, value, reason)

    def add(self, other: Draft) -> None:
        """Set every value of another draft, with its reasons and in its order."""
        for path, value in other.values.items():
            self.set(path, value, other.reasons[path])

    def json(self) -> dict[str, Any]:
        """Return the draft as a plan's plain data."""
        data: dict[str, Any] = {"reasons": dict(self.reasons)}
        for path, value in self.values.items():
            *parents, leaf = path.split(".")
            node = data
            for parent in parents:
                node = node.setdefault(parent, {})
            node[leaf] = value
        return data
