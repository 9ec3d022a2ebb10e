"""Texts as a source: as a bag of words, or piece by piece through a net that reads, where one is planned for it.

A text that a net reads goes through a batch as a time course of two columns: the numbers of its pieces, each a second
after the other, so that a piece can be left out as a row of a course can. It begins with BEGIN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.plan import NetPlan, Plan
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.language import tokenizers
from vesalius.language.counting import LEAST, count
from vesalius.language.tokenizers import Tokenizer
from vesalius.nets import describe
from vesalius.prepare import words
from vesalius.tasks.contract import Nets

TOKENIZER, LONGEST = "tokenizer", "longest"  # in what is learned of a text that a net reads
BYTE = 256  # the least number that bfloat16 holds with all below it
UNKNOWN_SHARE = 0.2  # of a text's pieces, from which it is said that it is strange


def overview(cases: Sequence[Case], plan: Plan, name: str) -> Tally | Statistics:
    """Return what is to be known of the texts of one name: words by text, or by patient where a net reads them."""
    held = [(text, case.patient or case.id) for case in cases if (text := case.text(name))]
    if name not in plan.nets:
        return words.overview(text for text, _ in held)
    return count([text for text, _ in held], of=[patient for _, patient in held])


def learned(found: Statistics, plan: Plan, name: str) -> dict[str, Any]:
    """Return what is learned of the texts of one name. Raises DataError where they have nothing in common."""
    if name in plan.nets:
        chosen = plan.sources
        made = tokenizers.learn(
            chosen.tokenizer, found.part(name, Statistics), size=chosen.vocabulary, least=LEAST
        )
        return {TOKENIZER: made, LONGEST: chosen.longest}
    about = words.learn(found.part(name, Tally))
    if not about["words"]:
        raise DataError(
            f"the texts '{name}' have no word in common to learn from",
            hint="--set sources.texts=[] to leave them out",
        )
    return about


def is_read(about: Mapping[str, Any]) -> bool:
    """Return whether a net reads a text piece by piece, by what is learned of it."""
    return TOKENIZER in about


def width(about: Mapping[str, Any]) -> int:
    """Return how many words a bag of words has, or how many pieces a net knows."""
    return tokenizer_of(about).size if is_read(about) else len(about["words"])


def tokenizer_of(about: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer of what is learned; that of a state is made once."""
    return _tokenizer(_Same(about[TOKENIZER]))


def vector(text: str, about: Mapping[str, Any]) -> Array:
    """Return a text's bag of words, `(W,)`."""
    return words.encode(text, about)


def numbers(text: str, about: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return the numbers of a text's pieces `(L, 2)` float32, BEGIN first, and their places as times in seconds `(L,)`.

    A number is how often it holds BYTE, and what is left: a runtime that computes in bfloat16 rounds those above 256,
    and a number itself would then be that of another piece. What is beyond the longest that is read is left out;
    `outside` says so.
    """
    tokenizer = tokenizer_of(about)
    found = np.array([tokenizer.begin, *tokenizer.encode(text)][: about[LONGEST]])
    return np.stack([found // BYTE, found % BYTE], 1).astype(np.float32), np.arange(
        len(found), dtype=np.float64
    )


def whole(numbers: Any) -> Any:
    """Return the numbers of pieces out of `numbers`, an array or a tensor `(…, 2)` → `(…)`."""
    return numbers[..., 0] * BYTE + numbers[..., 1]


def reading(about: NetPlan, words: int, plan: Plan, nets: Nets) -> Any:
    """Return a net that reads, which knows so many pieces, with as many places as are read unless its options say."""
    own = describe(about.name).get("OPTIONS", {})
    given = {LONGEST: plan.sources.longest} if LONGEST in own else {}
    return nets.build(
        about.name,
        dims=plan.data.dims,
        in_channels=words,
        scale=about.scale,
        dropout=about.dropout,
        options={**given, **about.options},
    )


def pieces_of(ids: Sequence[int], about: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what each number of a text stands for, for readers."""
    tokenizer = tokenizer_of(about)
    return tuple(tokenizer.piece(int(n)) for n in ids)


def outside(case: Case, texts: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what of a case's texts is not read, or not known; a sentence each."""
    said = []
    for name, about in texts.items():
        text = case.text(name) if is_read(about) else None
        if text is None:
            continue
        tokenizer = tokenizer_of(about)
        ids, most = tokenizer.encode(text), about[LONGEST] - 1
        if len(ids) > most:
            said.append(f"the text '{name}' has {len(ids)} pieces, of which the first {most} are read")
        strange = sum(n == tokenizer.unknown for n in ids)
        if strange > UNKNOWN_SHARE * len(ids):
            said.append(f"{strange} of the {len(ids)} pieces of the text '{name}' are of no training text")
    return tuple(said)


def known_texts(state: State) -> Mapping[str, Mapping[str, Any]]:
    """Return what a state holds of the texts that come together with other sources."""
    found: Mapping[str, Mapping[str, Any]] = state.values.get("sources", {}).get("texts", {})
    return found


class _Same:
    """What is learned, as a key: the same object is the same key, for its content is too large to be compared."""

    def __init__(self, learned: Mapping[str, Any]) -> None:
        self.learned = learned

    def __hash__(self) -> int:
        return id(self.learned)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.learned is self.learned


@lru_cache(maxsize=8)
def _tokenizer(key: _Same) -> Tokenizer:
    return tokenizers.load(key.learned)
