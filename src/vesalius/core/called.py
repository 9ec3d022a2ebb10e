"""Labels as people write them: `right_kidney` and `kidney_right` are Right kidney; the viewer has the same rule.

Pages and sentences use it; JSON, CSV and DICOM keep the names of the data.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable


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
