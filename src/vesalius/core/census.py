"""Census: how many things of each label a case has, from boxes, from numbers by name, or from one number alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vesalius.core.case import Box


@dataclass(frozen=True)
class Census(Mapping[str, float | None]):
    """Numbers of things by label. A label that is not named has `others` of them, None where that is not known.

    Of a label one of whose boxes is a crowd it is not known how many there are.
    """

    known: Mapping[str, float | None] = field(default_factory=dict)
    others: float | None = None

    def __getitem__(self, name: str) -> float | None:
        return self.known.get(name, self.others)

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


def census(target: Any) -> Census:
    """Return how many things of each label a target says that there are.

    Of a tuple of boxes those of each label are counted, and there are 0 of every other. A mapping of numbers says what
    it names, and nothing of other labels. A single number is that of any one label.
    """
    if isinstance(target, tuple):
        boxes = [box for box in target if isinstance(box, Box)]
        found: dict[str, float | None] = {}
        for box in boxes:
            found[box.label] = (found.get(box.label) or 0.0) + 1.0
        found |= dict.fromkeys((box.label for box in boxes if box.crowd), None)
        return Census(found, 0.0)
    if isinstance(target, Mapping):
        return Census({name: None if x is None else float(x) for name, x in target.items()})
    if isinstance(target, int | float) and not isinstance(target, bool):
        return Census({}, float(target))
    return Census()
