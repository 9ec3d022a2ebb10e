"""The positive class of two: the one that names a finding, else the one that is not called normal, else the rarer."""

from __future__ import annotations

from collections.abc import Mapping

FINDINGS = (
    "malig", "cancer", "tumor", "tumour", "disease", "positive", "abnormal", "lesion", "pneumonia", "sick",
)  # fmt: skip
NORMAL = ("normal", "healthy", "negative", "benign", "none", "control", "no", "0", "false")


def positive_of(counts: Mapping[str, int]) -> str:
    """The class that sensitivity speaks of, from the classes' names and how many cases each has."""
    for name in counts:
        if any(word in name.lower() for word in FINDINGS):
            return name
    others = [n for n in counts if n.lower() not in NORMAL]
    if len(others) == 1:
        return others[0]
    return min(counts, key=lambda n: counts[n])


def why_positive(name: str, counts: Mapping[str, int]) -> str:
    """Why it is that one."""
    if counts[name] == min(counts.values()) and len(set(counts.values())) > 1:
        return f"'{name}' names a finding or is the rarer class ({counts[name]} of {sum(counts.values())})"
    return f"'{name}' names a finding"
