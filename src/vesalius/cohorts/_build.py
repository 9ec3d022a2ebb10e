"""Small pieces that layouts share: references, label tables, and orphans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from vesalius.cohorts._files import natural
from vesalius.core.case import Ref, Split
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.words import listed

SPLIT_NOTE = "split by "


def ref(path: Path) -> Ref:
    """Return the Ref of one file."""
    return Ref((path,))


def class_labels(names: Iterable[str]) -> tuple[Label, ...]:
    """Return labels for class names in natural order, numbered from 0; names that are all integers keep their value."""
    ordered = sorted(set(names), key=natural)
    if ordered and all(re.fullmatch(r"-?\d{1,9}", n) for n in ordered):
        by_value = sorted(ordered, key=int)
        if len({int(n) for n in by_value}) == len(by_value):
            return tuple(Label(int(n), n) for n in by_value)
    return tuple(Label(k, n) for k, n in enumerate(ordered))


def mask_labels(named: Mapping[int, str]) -> tuple[Label, ...]:
    """Return labels of a mask from names by value; 0 is the background and is left out."""
    return tuple(Label(v, named[v]) for v in sorted(named) if v != 0)


def as_split(text: str) -> Split | None:
    """Return 'train', 'val' or 'test' for the words people use, None for anything else."""
    from vesalius.cohorts._files import SPLITS

    word = SPLITS.get(text.strip().casefold())
    return word  # type: ignore[return-value]


def matched(pattern: str, names: Iterable[str]) -> dict[str, str]:
    """Return the first group (or the whole match) of a `re:` pattern in each name.

    Raises DataError for a bad pattern.
    """
    try:
        compiled = re.compile(pattern.removeprefix("re:"))
    except re.error as error:
        raise DataError(f"the pattern '{pattern}' cannot be used", found=str(error)) from error
    found: dict[str, str] = {}
    for name in names:
        if match := compiled.search(name):
            found[name] = match.group(1) if compiled.groups else match.group(0)
    return found


def some(names: Iterable[str], limit: int = 5) -> str:
    """Return the first few names and the number of the others, in words."""
    return listed(names, limit)
