"""Cases that cannot be used, and why."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 0


def find(seen: Seen) -> Iterator[Finding]:
    """Yield each case that was set aside, an error where `fit` stops on it; and that none is left."""
    if not seen.good:
        hint = "`fit` and `predict` stop on this: see what was set aside"
        yield Finding("error", "cases", (), "no case can be used", hint)
    for item in seen.cohort.set_aside:
        hint = "`fit` stops on this: mend it, or take the case out" if item.fatal else ""
        text = f"'{item.case}': {item.reason}"
        yield Finding("error" if item.fatal else "warning", "set aside", (item.case,), text, hint)
