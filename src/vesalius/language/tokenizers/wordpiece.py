"""WordPiece: frequent words are one piece, others are put together of parts; rare words shape no part."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase
from typing import Any, ClassVar

from vesalius.core.errors import DataError
from vesalius.core.statistics import Statistics
from vesalius.language.counting import known
from vesalius.language.normal import GLUED, is_word
from vesalius.language.tokenizers._library import library, repeated
from vesalius.language.tokenizers.contract import SPECIALS, UNKNOWN
from vesalius.language.tokenizers.words import Words, base

NAMES = {"wordpiece": "WordPiece: frequent words, and parts of words for others"}
SOURCE = "Wu et al.: Google's neural machine translation system, arXiv:1609.08144, section 4.1"
EXTRA = "hf"


class WordPiece(Words):
    """Words in parts, the longest that fits first; `##` begins a part that goes on. Letters alone are parts, too.

    `[UNK]` stands for a word with a letter that is not known.
    """

    name: ClassVar[str] = "wordpiece"

    def __init__(self, learned: Mapping[str, Any]) -> None:
        super().__init__(learned)
        vocabulary = {piece: n for n, piece in enumerate(self.pieces)}
        self._inner = library().models.WordPiece(
            vocabulary, unk_token=SPECIALS[UNKNOWN], max_input_chars_per_word=100
        )

    def _numbers(self, piece: str) -> list[int]:
        if not is_word(piece):
            return super()._numbers(piece)
        return [int(part.id) for part in self._inner.tokenize(piece)]


def learn(counted: Statistics, *, size: int, least: int) -> dict[str, Any]:
    """Return the parts that the library learns from the words of at least `least` patients.

    Raises MissingExtra, DataError.
    """
    lib = library()
    words, signs = known(counted, least=least)
    letters = sorted({*ascii_lowercase, *(c for word in words for c in word)})
    first = [*base(signs), *letters, *(GLUED + c for c in letters)]
    room = size - len(SPECIALS) - len(first)
    if room < 1:
        raise DataError(
            "letters and signs alone need more room",
            found=f"size={size}",
            hint=f"more than {len(SPECIALS) + len(first)}",
        )
    made = lib.Tokenizer(lib.models.WordPiece(unk_token=SPECIALS[UNKNOWN]))
    made.pre_tokenizer = lib.pre_tokenizers.WhitespaceSplit()
    given = [
        SPECIALS[UNKNOWN],
        *letters,
        *(GLUED + c for c in letters),
    ]  # in this order, or ties fall by chance
    trainer = lib.trainers.WordPieceTrainer(
        vocab_size=len(given) + room, initial_alphabet=letters, special_tokens=given, show_progress=False
    )
    made.train_from_iterator(repeated(words), trainer)
    learned = sorted(made.get_vocab().items(), key=lambda item: item[1])
    parts = [part for part, _ in learned if part not in set(given)]
    return {"pieces": [*first, *parts[:room]]}


TOKENIZER = WordPiece
