"""What reading the data noticed."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 99


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the cohort's notes."""
    for note in seen.cohort.notes:
        yield Finding("note", "reading", (), note)
