"""Columns of times: the unit that each is in, and which time belongs to which event."""

from __future__ import annotations

import re
from collections.abc import Sequence

DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}
_UNITS = {
    "days": r"days?",
    "weeks": r"weeks?|wks?",
    "months": r"months?|mos?|mths?",
    "years": r"years?|yrs?",
}
_EDGE = r"(?:^|(?<=[^a-z]))(?:{})(?=[^a-z]|$)"
_COMMON = re.compile(
    r"[ _.\-()\[\]/]|\b(time|until|to|of|the|in|event|(dead|death|vital)?status|indicator|flag|happened|observed|dead|"
    r"death|died|deceased|survival|surv|follow.?up|fu|duration|last|vital|censor(ed|ing)?)\b"
)
LONG_DAYS = 400.0  # follow-up that is no longer than this in a column without a unit may be in months


def units_in(column: str) -> list[str]:
    """Return the units of time that a column's name says: none, one, or several that contradict one another."""
    name = re.sub(r"([a-z])([A-Z])", r"\1 \2", column).casefold()
    found = [unit for unit, words in _UNITS.items() if re.search(_EDGE.format(words), name)]
    return found or [unit for unit in ("months", "weeks", "years", "days") if unit[:-1] in name][:1]


def stem(column: str) -> str:
    """Return what a column of times or events is about, without the words that all such have: `os` of `OS_days`."""
    name = re.sub(r"([a-z])([A-Z])", r"\1 \2", column).casefold()
    name = re.sub(r"[ _.\-()\[\]/]+", " ", name)
    for words in _UNITS.values():
        name = re.sub(rf"\b({words})\b", " ", name)
    return " ".join(_COMMON.sub(" ", name).split())


def paired(times: Sequence[str], events: Sequence[str]) -> list[tuple[str, str]]:
    """Return the times and events that are about the same by their names, in the order of the times.

    A name that two times, or two events, have in common tells nothing, and is left out.
    """
    named = {stem(event): event for event in reversed(events)}
    known = [stem(time) for time in times]
    alike = [stem(event) for event in events]
    return [
        (time, named[what])
        for time, what in zip(times, known, strict=True)
        if what in named and known.count(what) == 1 and alike.count(what) == 1
    ]
