"""The positive class of two: the one that names a finding, else the one that is not called normal, else the rarer."""

from __future__ import annotations

import re
from collections.abc import Mapping

FINDINGS = (
    "malig", "cancer", "tumor", "tumour", "disease", "positive", "abnormal", "lesion", "pneumonia", "sick",
)  # fmt: skip
NORMAL = ("normal", "healthy", "negative", "benign", "none", "control", "no", "0", "false")
DENIALS = ("no", "non", "not", "without", "free", "absent", "never")  # `no tumour` is no finding


def positive_of(counts: Mapping[str, int]) -> str:
    """Return the class that sensitivity speaks of, from the classes' names and how many cases each has."""
    for name in counts:
        if _finding(name):
            return name
    others = [n for n in counts if not _normal(n)]
    if len(others) == 1:
        return others[0]
    return min(counts, key=lambda n: counts[n])


def why_positive(name: str, counts: Mapping[str, int]) -> str:
    """Return why it is that one."""
    if counts[name] == min(counts.values()) and len(set(counts.values())) > 1:
        rarer = f"the rarer class ({counts[name]} of {sum(counts.values())})"
        return f"'{name}' names a finding and is {rarer}" if _finding(name) else f"'{name}' is {rarer}"
    if _finding(name):
        return f"'{name}' names a finding"
    other = next((n for n in counts if n != name), name)
    return f"'{other}' is called normal" if _normal(other) and not _normal(name) else "the first of two alike"


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.lower())


def _finding(name: str) -> bool:
    """Return whether a name says that something is there, and does not deny it."""
    if any(word in DENIALS for word in _words(name)):
        return False
    return any(word in name.lower() for word in FINDINGS)


def _normal(name: str) -> bool:
    """Return whether a name says that nothing is there: each word does (`normal, benign`), or it denies (`no cyst`)."""
    words = _words(name)
    return any(word in DENIALS for word in words) or (bool(words) and all(word in NORMAL for word in words))
