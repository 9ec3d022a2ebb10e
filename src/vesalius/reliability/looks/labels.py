"""What labels leave open: questions on which `fit` stops, and doubts that were decided."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 10


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the cohort's questions as errors and its doubts as warnings."""
    for q in seen.cohort.questions:
        yield Finding("error", "labels", (), f"{q.what}: {q.found}", f"`fit` stops on this: {q.hint}")
    for q in seen.cohort.doubts:
        yield Finding("warning", "labels", (), f"{q.what} ({q.found})", q.hint)
