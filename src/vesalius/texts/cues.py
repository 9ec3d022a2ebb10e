"""Cues: the words by which a language denies, doubts, remembers and compares, read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from vesalius.texts._phrases import Phrase, phrase, stem

_FOLDER = Path(__file__).parent / "cues"
_PLAIN = (
    "present",
    "weak",
    "verbs",
    "openers",
    "numbers",
    "earlier",
    "distances",
)  # lists of words and not of phrases


@dataclass(frozen=True, slots=True)
class Cues:
    """The words by which a language denies, doubts, remembers and compares."""

    phrases: tuple[Phrase, ...]
    words: Mapping[str, frozenset[str]]
    numbers: Mapping[str, int]


@lru_cache(maxsize=1)
def english() -> Cues:
    """Return the cues of English."""
    told: dict[str, Any] = yaml.safe_load((_FOLDER / "english.yaml").read_text(encoding="utf-8"))
    phrases = tuple(
        phrase(text, kind) for kind, texts in told.items() if kind not in _PLAIN for text in texts
    )
    plain = {kind: frozenset(stem(word) for word in told[kind]) for kind in _PLAIN if kind != "numbers"}
    return Cues(phrases, plain, told["numbers"])
