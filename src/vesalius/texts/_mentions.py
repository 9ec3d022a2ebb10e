"""Mentions: the findings that a sentence names, while it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vesalius.core.finding import Change, Status


@dataclass(slots=True)
class Mention:
    """One finding that a sentence names, while it is read: words `start` to `end`, in which clause, and by which rule.

    `status` is None where the sentence only asks for the finding. `base` is what its own words say of it.
    """

    start: int
    end: int
    name: str
    base: Status = "present"
    status: Status | None = "present"
    rule: str = "named"
    clause: int = 0
    change: Change | None = None


def either(tokens: Sequence[str], mentions: Sequence[Mention], unchanged: Sequence[int]) -> None:
    """Doubt findings that are named as one or the other: `atelectasis or scarring` says of neither that it is there."""
    for k in range(1, len(mentions)):
        one, other = mentions[k - 1], mentions[k]
        between = tokens[one.end : other.start]
        if not any(w in ("or", "/") for w in between) or len(between) > 5 or "," in between:
            continue
        if any(end <= one.start and "," not in tokens[end : one.start] for end in unchanged):
            continue  # `no change in the effusion or the nodule` speaks of both
        if one.status != "present" or other.status != "present" or one.clause != other.clause:
            continue
        one.status = other.status = "uncertain"
        one.rule = other.rule = "or"
