"""Tokenizers: one file = one way of parting texts into numbered pieces, learned from training reports alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from vesalius.core.errors import DataError
from vesalius.core.fields import short
from vesalius.core.registry import held, lookup, names
from vesalius.core.statistics import Statistics
from vesalius.language.counting import LEAST, count
from vesalius.language.tokenizers.contract import (
    BEGIN,
    END,
    MASK,
    PAD,
    SEP,
    SPECIALS,
    UNKNOWN,
    Tokenizer,
)

__all__ = [
    "BEGIN",
    "END",
    "IN_STATE",
    "KIND",
    "MASK",
    "PAD",
    "SEP",
    "SIZE",
    "SPECIALS",
    "UNKNOWN",
    "Tokenizer",
    "held_in",
    "learn",
    "load",
    "train",
]
KIND = "language.tokenizers"
SIZE = 4000  # pieces
IN_STATE = "tokenizer"  # under which a task's state keeps what a tokenizer learned


def train(
    name: str,
    texts: Iterable[str],
    *,
    size: int = SIZE,
    least: int = LEAST,
    of: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return what a tokenizer learns of texts, as plain data for a task's State.

    `size` is how many pieces there are at most, the special ones included. A word of fewer than `least` patients enters
    nothing; `of` says of which patient each text is, without it each is of one of its own. Raises UnknownName,
    DataError, and MissingExtra where its library is missing.
    """
    return learn(name, count(texts, of=of), size=size, least=least)


def learn(name: str, counted: Statistics, *, size: int = SIZE, least: int = LEAST) -> dict[str, Any]:
    """Return what a tokenizer learns of counted words (`language/counting.py`). Raises as `train` does."""
    module = lookup(KIND, name)
    if size < len(SPECIALS) + 2:
        raise DataError("a vocabulary has no room", found=f"size={size}", hint="some hundreds of pieces")
    found: dict[str, Any] = module.learn(counted, size=size, least=least)
    return {"name": name, **found}


def held_in(values: Any) -> Mapping[str, Any] | None:
    """Return what a tokenizer learned as a state's values hold it, under `tokenizer` at any depth; None where none is.

    None, too, where there are several different ones.
    """
    found = list(_held_in(values))
    return found[0] if found and all(one == found[0] for one in found) else None


def _held_in(values: Any) -> Iterator[Mapping[str, Any]]:
    for name, value in values.items() if isinstance(values, Mapping) else ():
        if name == IN_STATE and isinstance(value, Mapping) and "name" in value:
            yield value
        elif isinstance(value, Mapping):
            yield from _held_in(value)


def load(learned: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer of what was learned. Raises DataError for what no tokenizer learned, UnknownName."""
    if not isinstance(learned, Mapping) or not isinstance(learned.get("name"), str):
        raise DataError(
            "this is no tokenizer's data", found=short(learned), hint=f"one of {', '.join(names(KIND))}"
        )
    made: type[Tokenizer] = held(KIND, learned["name"], "TOKENIZER")
    return made(learned)
