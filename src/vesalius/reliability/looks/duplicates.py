"""The same picture twice, exactly or nearly, and under different labels."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.reliability import duplicates
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen
from vesalius.reliability.reports import REPORT

ORDER = 20


def find(seen: Seen) -> Iterator[Finding]:
    """Yield pictures that are there twice; those on two sides of a split are leaks, unless their labels differ."""
    for twin in seen.twins:
        if twin.contradicts:
            hint = "decide which label is right; `fit` learns both"
            sure = twin.exact and twin.what != REPORT  # two people may have one report, and other labels
            yield Finding("error" if sure else "warning", "contradiction", twin.cases, str(twin), hint)
        elif len(twin.splits) < 2:
            kind = "duplicate" if twin.exact else "near duplicate"
            yield Finding("warning", kind, twin.cases, str(twin), "kept on one side of a split by `fit`")
    if len(seen.good) > duplicates.LIMIT:
        text = f"{len(seen.good)} cases are too many to compare in pairs: near duplicates were not looked for"
        yield Finding("note", "near duplicate", (), text, "exact ones were, by their hash")
