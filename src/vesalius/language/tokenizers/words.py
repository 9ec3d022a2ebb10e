"""Words: every word that several patients' reports have in common is one piece; digits and signs are single."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from vesalius.core.errors import DataError
from vesalius.core.statistics import Statistics
from vesalius.language.counting import known
from vesalius.language.normal import GLUED, is_word, joined, pieces
from vesalius.language.tokenizers.contract import SPECIALS, UNKNOWN, Tokenizer

NAMES = {"words": "whole words that several patients' reports have in common, digits and signs one by one"}
SIGNS = ".,;:()/-+%'\"=<>?!"  # known whatever was read


class Words(Tokenizer):
    """Pieces as `language/normal.py` parts a text. `[UNK]` stands for a word that is not known."""

    name: ClassVar[str] = "words"

    def __init__(self, learned: Mapping[str, Any]) -> None:
        super().__init__(learned)
        self.pieces = (*SPECIALS, *map(str, learned["pieces"]))
        self._number = {piece: n for n, piece in enumerate(self.pieces) if n >= len(SPECIALS)}

    @property
    def size(self) -> int:
        """Return how many pieces there are, the special ones among them."""
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text's pieces."""
        return [n for piece in pieces(text) for n in self._numbers(piece)]

    def numbers(self, piece: str) -> list[int]:
        """Return the numbers of one piece; a word that is glued has the glue's before its own."""
        bare = piece.removeprefix(GLUED)
        if bare != piece and is_word(bare):
            return [*self._numbers(GLUED), *self._numbers(bare)]
        return self._numbers(piece)

    def _numbers(self, piece: str) -> list[int]:
        return [self._number.get(piece, UNKNOWN)]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of some numbers in normal form, a line for each SEP."""
        return "\n".join(joined(self.piece(n) for n in line) for line in self.lines(ids))

    def piece(self, number: int) -> str:
        """Return a piece by its number. Raises DataError for one that is not there."""
        if not 0 <= number < len(self.pieces):
            raise DataError("a vocabulary has no such piece", found=f"{number} of {len(self.pieces)}")
        return self.pieces[number]


def base(signs: Iterable[str]) -> list[str]:
    """Return the pieces that are known whatever was read, and further signs: each alone and glued, and the glue."""
    single = dict.fromkeys([*"0123456789", *SIGNS, *signs])
    return [GLUED, *single, *(GLUED + s for s in single)]


def learn(counted: Statistics, *, size: int, least: int) -> dict[str, Any]:
    """Return the most frequent words of at least `least` patients."""
    words, signs = known(counted, least=least)
    first = base(signs)
    room = max(0, size - len(SPECIALS) - len(first))
    if not words or not room:
        raise DataError(
            "no vocabulary can be learned from these texts",
            found=f"{len(words)} words of at least {least} patients, room for {room}",
            hint="more reports, or a larger size",
        )
    return {"pieces": [*first, *list(words)[:room]]}


TOKENIZER = Words
