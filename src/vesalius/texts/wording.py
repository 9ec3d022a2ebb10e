"""Wording: whether a word is one by which reports tell findings, places and sides, and deny or doubt them."""

from __future__ import annotations

from functools import lru_cache

from vesalius.texts import cues
from vesalius.texts._phrases import stem
from vesalius.texts.terms import Terms, listed


def is_clinical(word: str) -> bool:
    """Return whether a word, in small letters, is of the terms that come with Vesalius or of the cues of English."""
    return word in _clinical() or stem(word) in _clinical()


@lru_cache(maxsize=1)
def _clinical() -> frozenset[str]:
    phrases = (*cues.english().phrases, *(p for name in listed() for p in Terms.named(name).phrases))
    return frozenset(word for one in phrases for part in one.parts for word in part or () if len(word) > 1)
