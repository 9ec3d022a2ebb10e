"""Labels of things under other names, and names that are the same however they are spelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vesalius.core.case import Box


def plain(name: str) -> str:
    """Return a label's name without what spelling may change: letter case, blanks, underscores and hyphens."""
    return " ".join(name.replace("_", " ").replace("-", " ").split()).casefold()


def renamed(boxes: Sequence[Box], new: Mapping[str, str]) -> tuple[Box, ...]:
    """Return boxes under other labels, without those whose label becomes nothing."""
    pairs = [(box, new.get(box.label, box.label)) for box in boxes]
    return tuple(box if name == box.label else replace(box, label=name) for box, name in pairs if name)
