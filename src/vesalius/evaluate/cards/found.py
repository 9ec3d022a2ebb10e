"""Found: what is known of one item of a checklist, where it stands in the report, and what of it is still missing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of an item, where it stands, and what of the item is still missing (empty: nothing)."""

    text: str
    where: str = ""
    missing: str = ""
