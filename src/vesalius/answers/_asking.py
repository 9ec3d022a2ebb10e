"""What is asked of an answer, from the words of a person: a label by its name, or the k-th of what an answer lists."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.horizons import days_of


def label_place(labels: Sequence[Label], name: str | None, *, default: int) -> int:
    """Return the place of a label by its name, or by its value; `default` where none is named. Raises UnknownName."""
    if name is None:
        return default
    exact = [k for k, x in enumerate(labels) if x.name == name]
    alike = [k for k, x in enumerate(labels) if x.name.casefold() == name.casefold()]
    valued = [k for k, x in enumerate(labels) if str(x.value) == name]
    for found in (exact, alike, valued):
        if len(found) == 1:
            return found[0]
    raise UnknownName("label", name, [x.name for x in labels])


def number_place(text: str | None, count: int, *, what: str, default: int = 0) -> int:
    """Return the place from 0 of the k-th thing, as people count from 1; `default` where no number is given.

    Raises DataError where there is no such thing.
    """
    if text is None and count:
        return default
    if text is None or not text.isdecimal() or not 1 <= int(text) <= count:
        raise DataError(
            f"the answer has no such {what}",
            found=f"{what} {text}" if text is not None else f"no {what} at all",
            hint=f"{what}=1 to {what}={count}" if count else "another case, or another question",
        )
    return int(text) - 1


def days_at(text: str | None, *, what: str, default: float) -> float:
    """Return a time ahead that is asked about, in days: `365`, `3 years`, `18 months`. Raises DataError for none."""
    if text is None:
        return default
    found = days_of(text)
    if found is None:
        raise DataError(
            f"a {what} is a number of days from 0 on, or of months or years",
            found=text,
            hint=f"{what}=365, or {what}=3 years",
        )
    return found
