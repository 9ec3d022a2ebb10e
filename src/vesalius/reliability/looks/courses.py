"""Time courses that say little: the same value at every time, or half of their cells empty."""

from __future__ import annotations

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 70


def find(seen: Seen) -> list[Finding]:
    """Return the time courses that say little: the same value at every time, or half of their cells empty."""
    held = [(f.case, name, c) for f in seen.good for name, c in (f.brought.courses or {}).items()]
    found = []
    for text, cases in (
        ("the same values at every time", [c for c, _, one in held if one.constant]),
        (
            "no number in half of their cells",
            [c for c, _, one in held if 2 * one.empty >= one.rows * len(one.columns)],
        ),
    ):
        if cases:
            many = counted(len(cases), "time course has", "time courses have")
            found.append(Finding("warning", "time courses", tuple(dict.fromkeys(cases)), f"{many} {text}"))
    return found
