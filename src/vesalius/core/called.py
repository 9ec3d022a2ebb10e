"""Labels as people write them: `right_kidney` and `kidney_right` are Right kidney; the viewer has the same rule.

Pages and sentences use it; JSON, CSV and DICOM keep the names of the data.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal


def written(name: str) -> str:
    """Return a name with spaces for underscores, its side in front and a capital first.

    A name that has capitals of its own keeps them (`HCC`).
    """
    words = re.sub(r"\s+", " ", name.replace("_", " ")).strip()
    if not words:
        return name
    plain = re.sub(r"^(.+) (left|right)$", r"\2 \1", words)
    return plain[:1].upper() + plain[1:] if plain == plain.lower() else plain


def called_by(names: Iterable[str]) -> dict[str, str]:
    """Return what labels of one answer are called, by their own names; those that would read alike keep their own."""
    own = list(dict.fromkeys(names))
    read = Counter(written(name).lower() for name in own)
    return {name: written(name) if read[written(name).lower()] == 1 else name for name in own}


def without_side(name: str) -> tuple[str, Literal["left", "right"] | None]:
    """Return a label's name without its side, as words, and the side: `left_lung` and `lung left` are of a lung.

    The name alone counts: a label that names no side has None.
    """
    words = re.sub(r"\s+", " ", name.replace("_", " ")).strip()
    for side in ("left", "right"):
        found = re.fullmatch(rf"(?:{side} (.+)|(.+) {side})", words, flags=re.IGNORECASE)
        if found:
            return (found[1] or found[2]), side
    return words or name, None
