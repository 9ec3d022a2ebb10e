"""Published: the cohorts with reports that benchmarks rest on, as arguments of `make`, fixed before a model saw one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEST_STYLES = "7,8"
_WORDS: Mapping[str, Any] = {
    "reports": True,
    "styles": "1,2,3,4,5,6",
    "test_styles": TEST_STYLES,
    "wrong_sides": 0.02,
    "earlier": 0.3,
}

CHEST: Mapping[str, Any] = {
    "kind": "chest",
    "cases": 600,
    "seed": 18,
    "options": {"size": 96, "contrast": 1.5, "noise": 0.6, "healthy": 0.25, **_WORDS},
}
CT: Mapping[str, Any] = {
    "kind": "ct",
    "cases": 600,
    "seed": 18,
    "options": {"size": "medium", **_WORDS},
}


def quick(
    published: Mapping[str, Any], *, cases: int = 48, size: int | tuple[int, int, int] = 64
) -> dict[str, Any]:
    """Return a smaller cohort of another seed, to try whether a benchmark runs; never for a figure."""
    options = {**published["options"], "size": size}
    return {**published, "cases": cases, "seed": int(published["seed"]) + 1, "options": options}
