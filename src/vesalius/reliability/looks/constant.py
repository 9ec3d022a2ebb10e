"""Images that have the same value everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 60


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the images of which no channel has two values."""
    flat = {
        f.case: f.channels[0].low
        for f in seen.good
        if f.channels and all(c.low == c.high for c in f.channels)
    }
    if flat:
        text = f"{counted(len(flat), 'image has', 'images have')} the same value everywhere"
        hint = "look at them, and take out those that failed: nothing can be learned from one"
        yield Finding(
            "warning", "pixels", tuple(flat), text, hint, "least and greatest value are equal", flat
        )
