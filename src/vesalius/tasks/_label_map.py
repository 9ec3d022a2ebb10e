"""Labels in a task's state: what each is called, coded and coloured in the data, in the order of the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vesalius.core.bundle import State
from vesalius.core.cohort import Label


def kept(labels: Sequence[Label]) -> list[dict[str, Any]]:
    """Return labels as a state keeps them under `labels`."""
    return [
        {"value": x.value, "name": x.name, "code": x.code, "colour": x.colour, "shown": x.shown}
        for x in labels
    ]


def labels_of(state: State) -> tuple[Label, ...]:
    """Return the labels that a state keeps, in their order."""
    return tuple(
        Label(x["value"], x["name"], tuple(x["code"]) if x["code"] else None, x["colour"], x.get("shown"))
        for x in state.values["labels"]
    )
