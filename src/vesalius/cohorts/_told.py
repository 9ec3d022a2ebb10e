"""The user's label names, `WORD=LABEL`; nothing after the sign means that the label is unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vesalius.core.case import IGNORED
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError

_RANGE = re.compile(r"(-?\d{1,9})(?:-(\d{1,9}))?")
_COLOUR = re.compile(r"#([0-9a-fA-F]{6})")


def assert_untold(labels: Mapping[str, str] | None) -> None:
    """Raise DataError where labels are told of a Cohort object, which would change nothing."""
    if labels:
        raise DataError(
            "labels cannot be renamed in a cohort that was already read",
            found="a Cohort object",
            hint="vs.read(path, labels={…})",
        )


def colour_name(value: int) -> str:
    """Return a colour's name from its value 0xRRGGBB: `#ff0000`."""
    return f"#{value:06x}"


def values_of(word: str, held: set[int], named: Mapping[str, int]) -> list[int]:
    """Return the values of a mask that a word means: `255`, `1-127`, `#ff0000`, or a label's name; [] if none is
    held.
    """
    if (match := _COLOUR.fullmatch(word)) is not None:
        wanted = {int(match.group(1), 16)}
    elif (match := _RANGE.fullmatch(word)) is not None:
        low = int(match.group(1))
        wanted = set(range(low, int(match.group(2) or low) + 1))
    else:
        wanted = {named[word]} if word in named else set()
    return sorted(wanted & held)


def label_of(text: str, value: int, labels: Mapping[int, Label]) -> Label:
    """Return the label that `value` becomes: a value or a label's name as told, or a new name for the value itself.

    Nothing told means IGNORED; `0` and `background` the background.
    """
    if not text:
        return Label(IGNORED, "")
    if text == "background":
        return Label(0, text)
    if re.fullmatch(r"-?\d{1,9}", text):
        known = labels.get(int(text))
        return known or Label(int(text), text)
    if (match := _COLOUR.fullmatch(text)) is not None:
        return Label(int(match.group(1), 16), text.lower())
    known = next((x for x in labels.values() if x.name == text), None)
    return known or Label(value, text)
