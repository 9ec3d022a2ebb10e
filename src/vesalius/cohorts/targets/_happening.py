"""What the cells of a column say of an event: that it had not happened, that it had, or which cause it was of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vesalius.core.words import listed

_NO = {
    "0", "false", "no", "n", "alive", "living", "censored", "negative", "none", "lost", "withdrawn", "ongoing",
    "lost to follow-up", "lost to follow up", "ltfu", "event-free", "event free", "no event", "not dead",
    "disease free", "disease-free", "survived",
}  # fmt: skip
_YES = {"1", "true", "yes", "y", "dead", "deceased", "died", "death", "event", "positive"}
_BARE = {"0", "1", "true", "false", "yes", "no", "y", "n"}  # whose meaning is the column's name's
_SURE = re.compile(r"event|dead|death|died|deceased|relapse|recur|progress|metasta|failure")
_CENSORED = re.compile(r"censor")
_UNSURE = re.compile(r"vital|status|alive|living|surviv")
MOST = 8  # different words in a column of events


@dataclass(frozen=True, slots=True)
class Coding:
    """What a column's words say: those of which nothing had happened, and the causes of which one had.

    `causes` are the column's words in their order; of a single one nobody needs the name. `doubt` says in words what a
    person must decide; None where the words leave nothing open.
    """

    still: tuple[str, ...]
    causes: tuple[str, ...]
    doubt: str | None = None


def word_of(cell: str) -> str:
    """Return a cell as words are compared: without letter case, and `1.0` as `1`."""
    text = " ".join(cell.split()).casefold()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def may_be_events(cells: Sequence[str]) -> bool:
    """Return whether different cells may be those of an event: one or two, or a few of which one says `not yet`."""
    words = {word_of(cell) for cell in cells}
    return len(words) <= 2 or (len(words) <= MOST and bool(words & _NO))


def says_none(cells: Sequence[str]) -> bool:
    """Return whether `none` among these other cells says that nothing had happened, and not that nothing is known.

    It does among words of which no other says so; among numbers it is how programs write an empty cell.
    """
    words = {word_of(cell) for cell in cells}
    return bool(words) and not words & _NO and not any(re.fullmatch(r"[\d.]+", word) for word in words)


def coding(column: str, cells: Sequence[str], *, told: Sequence[str] = ()) -> Coding:
    """Return what the different cells of a column of events say.

    `told` are the words that a person said mean that it happened. By themselves words speak as they do (`dead`,
    `alive`); 0 and 1 as the column is called: in `censored` a 1 means that nothing had happened. Numbers from 0 are
    causes.
    """
    words = list(dict.fromkeys(word_of(cell) for cell in cells))
    if told:
        chosen = [word_of(word) for word in told]
        strange = [word for word in chosen if word not in words]
        if strange:
            held = listed([f"'{word}'" for word in words], 6)
            return Coding((), (), f"no cell of '{column}' is '{strange[0]}', only {held}")
        return Coding(tuple(w for w in words if w not in chosen), tuple(dict.fromkeys(chosen)))
    name = column.casefold()
    turned = bool(_CENSORED.search(name)) and not _SURE.search(name)
    still = [w for w in words if _says_no(w, turned)]
    causes = sorted((w for w in words if w not in still), key=_place)
    return Coding(tuple(still), tuple(causes), _doubt(column, words, still, causes))


def _says_no(word: str, turned: bool) -> bool:
    if word in _BARE and turned:
        return word not in _NO
    return word in _NO


def _place(word: str) -> tuple[float, str]:
    return (float(word), "") if re.fullmatch(r"-?\d+(\.\d+)?", word) else (float("inf"), word)


def _doubt(column: str, words: Sequence[str], still: Sequence[str], causes: Sequence[str]) -> str | None:
    """Return what a column's words leave open; None for nothing."""
    name = column.casefold()
    bare = all(word in _BARE for word in words)
    if bare and _UNSURE.search(name) and not _SURE.search(name):
        return f"1 in '{column}' may mean alive or dead"
    if bare and _CENSORED.search(name) and _SURE.search(name):
        return f"1 in '{column}' may mean that the event happened, or that it was censored"
    if len(causes) > MOST:
        return f"'{column}' has {len(causes)} different words for what happened"
    if not still and len(words) > 1:
        held = listed([f"'{word}'" for word in words], 4)
        return f"no word in '{column}' says that the event had not happened ({held})"
    if not still and words and words[0] not in _YES:
        return f"'{column}' says '{words[0]}' of all"
    return None
