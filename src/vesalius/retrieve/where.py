"""Which cases of an index are looked at: by covariates, the modality and the target, as `age=40..60` says it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.index import Entry, Index
from vesalius.core.index_file import assert_told
from vesalius.core.words import listed

MODALITY, TARGET = "modality", "target"
_SPAN = ".."


@dataclass(frozen=True, eq=False)
class Chosen:
    """The cases that conditions leave: their `places` `(K,)`, and of how many it is unknown whether they fit."""

    places: Array
    unknown: int


def chosen(index: Index, where: Mapping[str, str]) -> Chosen:
    """Return the cases of an index for which every condition holds; `where` is a value or a span by name.

    A value is a word (letter case does not count), a number, or several with commas between them; a span is `40..60`,
    `40..` or `..60`, both ends in it. Names are covariates, `modality`, and `target` or the target's own name. A case
    of which the value is not known is left out, and counted.

    Raises DataError for a name that no case has, a value that no case has, and a span that is none.
    """
    assert_told(index)
    fits = np.ones(len(index.entries), bool)
    blank = np.zeros(len(index.entries), bool)
    for name, asked in where.items():
        values = [_value(e, name, index.target) for e in index.entries]
        if all(v is None for v in values):
            raise DataError(f"no case of the index has '{name}'", found=listed(_names(index), 8) or "nothing")
        held = _held(name, asked, values)
        blank |= np.array([v is None for v in values])
        fits &= held
    return Chosen(np.flatnonzero(fits & ~blank), int(blank.sum()))


def _held(name: str, asked: str, values: list[float | str | None]) -> Array:
    """Return for which cases a condition holds, `(N,)` bool."""
    text = asked.strip()
    known = {v for v in values if v is not None}
    if _SPAN in text:
        low, high = _span(name, text)
        if not any(_number(v) is not None for v in known):
            raise DataError(f"'{name}' is no number, so it lies in no span", found=_few(known))
        return np.array([low <= n <= high if (n := _number(v)) is not None else False for v in values])
    wanted = [w.strip() for w in text.split(",") if w.strip()]
    if not wanted:
        raise DataError(f"nothing is asked of '{name}'", hint=f"{name}=VALUE, or {name}=LOW..HIGH")
    for word in wanted:
        if not any(_same(v, word) for v in known):
            raise DataError(f"no case of the index has {name}={word}", found=_few(known))
    return np.array([any(_same(v, word) for word in wanted) for v in values])


def _value(entry: Entry, name: str, target: str) -> float | str | None:
    if name in entry.covariates:
        return entry.covariates[name]
    if name == MODALITY:
        return entry.modality
    if name in (TARGET, target):
        return entry.target or None
    return None


def _names(index: Index) -> list[str]:
    found = dict.fromkeys(name for e in index.entries for name in e.covariates)
    if any(e.modality for e in index.entries):
        found[MODALITY] = None
    if any(e.target for e in index.entries):
        found[index.target or TARGET] = None
    return list(found)


def _span(name: str, text: str) -> tuple[float, float]:
    low, _, high = text.partition(_SPAN)
    ends = []
    for end, usual in ((low, -math.inf), (high, math.inf)):
        number = _number(end.strip()) if end.strip() else usual
        if number is None:
            raise DataError(f"{name}={text} is no span", found=end.strip(), hint=f"{name}=40..60")
        ends.append(number)
    if ends[0] > ends[1] or (not low.strip() and not high.strip()):
        raise DataError(f"{name}={text} is no span", hint=f"{name}=40..60")
    return ends[0], ends[1]


def _same(value: float | str | None, word: str) -> bool:
    if value is None:
        return False
    one, other = _number(value), _number(word)
    if one is not None and other is not None:
        return one == other
    return str(value).strip().casefold() == word.casefold()


def _number(value: float | str | None) -> float | None:
    try:
        found = math.nan if value is None else float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _few(known: set[float | str]) -> str:
    return listed(sorted(f"{v:g}" if isinstance(v, float | int) else v for v in known), 5)
