"""Equal texts among reports: many are written from templates, and must not be on both sides of a split."""

from __future__ import annotations

import hashlib
import re

_WORDS = re.compile(r"[^a-z0-9]+")


def same(text: str) -> str:
    """Return what texts have in common that are equal but for case, marks and spaces."""
    return hashlib.sha256(_WORDS.sub(" ", text.casefold()).strip().encode()).hexdigest()[:16]
