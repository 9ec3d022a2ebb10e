"""Which view of its study each image of a table is: by a view column, or by a known word in the file's name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from vesalius import formats
from vesalius.core.delimited import Table

_NAME = re.compile(
    r"(.*[ _./-])?(view|projection|laterality|side|eye|plane|sequence|orientation|frontal[ _/-]?lateral|ap[ _/-]?pa)s?"
    r"([ _.-]?(position|code|name|type|id))?|view ?position|(image ?)?laterality",
    re.I,
)
_KNOWN = (
    "ap pa lat lateral ll rl frontal front back side oblique lao rao lpo rpo cc mlo ml lm xccl left right l r os od "
    "axial sagittal coronal ax sag cor t1 t2 t1w t2w t1c t1ce t1gd pd flair dwi adc swi dce pre post rest stress "
    "arterial venous portal delayed 2ch 3ch 4ch a2c a3c a4c plax psax"
)
_WORDS = frozenset(_KNOWN.split())
_MOST_VIEWS = 20
_MOST_COLUMNS = 6


def looks_like_views(column: str, cells: Sequence[str | None]) -> bool:
    """Return whether a column is called like a view, or holds nothing but words for views, and few different values."""
    values = {c.casefold() for c in cells if c is not None}
    if not values or len(values) > _MOST_VIEWS:
        return False
    words = all(set(re.split(r"[^a-z0-9]+", v)) - {""} <= _WORDS for v in values)
    return words or _NAME.fullmatch(column.strip()) is not None


def differs(cells: Sequence[str | None], rows: Sequence[int]) -> bool:
    """Return whether a column holds different values, or a value and nothing, in some rows."""
    return len({cells[k] for k in rows}) > 1


def by_columns(
    table: Table, columns: Sequence[str], studies: Mapping[str, Sequence[int]], *, all_of: bool
) -> tuple[tuple[str, ...], dict[int, str]]:
    """Return the fewest columns that tell the images of most studies apart, and each row's view by them.

    `studies` is the rows of different images by study. With `all_of` every column counts.
    """
    ways = [tuple(columns)]
    if not all_of:
        kept = list(columns)[:_MOST_COLUMNS]
        ways = [way for size in range(1, len(kept) + 1) for way in combinations(kept, size)]
    best: tuple[int, tuple[str, ...], dict[int, str]] = (-1, (), {})
    for way in ways:
        named = _named(table, way)
        told = sum(told_apart(named, rows) for rows in studies.values())
        if told > best[0]:
            best = (told, way, named)
    return best[1], best[2]


def by_file_names(cells: Mapping[int, str], studies: Mapping[str, Sequence[int]]) -> dict[int, str]:
    """Return each row's view by the known words in its file's name, if they tell the images of every study apart."""
    words = {row: _words(cell) for row, cell in cells.items()}
    named: dict[int, str] = {}
    for rows in studies.values():
        shared = set.intersection(*(set(words[k]) for k in rows))
        named |= {k: " ".join(w for w in words[k] if w not in shared) for k in rows}
    if not all(told_apart(named, rows) for rows in studies.values()):
        return {}
    known = set(named.values())
    alone = {k: " ".join(w) for k, w in words.items() if k not in named}
    return named | {k: view for k, view in alone.items() if view in known}


def told_apart(named: Mapping[int, str], rows: Iterable[int]) -> bool:
    """Return whether each of these rows has a view of its own."""
    views = [named.get(k, "") for k in rows]
    return all(views) and len(set(views)) == len(views)


def _named(table: Table, columns: Sequence[str]) -> dict[int, str]:
    """Return the values of some columns, put together, by row; in the spelling that comes first."""
    spelt: dict[str, str] = {}
    found: dict[int, str] = {}
    for row, cells in enumerate(zip(*(table[c] for c in columns), strict=True)):
        text = " ".join(c for c in cells if c is not None)
        if text:
            found[row] = spelt.setdefault(text.casefold(), text)
    return found


def _words(cell: str) -> list[str]:
    parts = re.split(r"[^a-z0-9]+", formats.stem(Path(cell.replace("\\", "/"))).casefold())
    return [w for p in parts for w in (p if p in _WORDS else p.strip("0123456789"),) if w in _WORDS]
