"""Sentences: how a text is parted into them, alike wherever one is counted, shown, read or written."""

from __future__ import annotations

import re
from collections.abc import Mapping

_END = re.compile(
    r"(?:(?<=[.!])|(?<=[^\s,(/]\?))\s+|\n+"
)  # no `?` that doubts what follows: `Opacity, ? pneumonia`


def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a text, in order, without empty ones; a full stop within a number ends none."""
    return tuple(part for raw in _END.split(text) if (part := raw.strip()))


def all_sentences(sections: Mapping[str, str]) -> tuple[tuple[str, int, str], ...]:
    """Return every sentence of a text in sections, as `(section, place in it from 0, sentence)`, in order."""
    return tuple(
        (name, place, sentence)
        for name, text in sections.items()
        for place, sentence in enumerate(sentences(text))
    )
