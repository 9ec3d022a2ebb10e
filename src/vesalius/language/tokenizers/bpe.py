"""BPE: frequent runs of bytes are one piece, so that no text is unknown; words of single patients shape no piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from vesalius.core.errors import DataError
from vesalius.core.statistics import Statistics
from vesalius.language.counting import known
from vesalius.language.normal import GLUED, normal
from vesalius.language.tokenizers._library import library, repeated
from vesalius.language.tokenizers.contract import SPECIALS, Tokenizer

NAMES = {"bpe": "byte-pair encoding: frequent runs of bytes within words, so that no text is unknown"}
SOURCE = (
    "Sennrich et al.: Neural machine translation of rare words, ACL 2016, arXiv:1508.07909; bytes as in GPT-2"
)
EXTRA = "hf"
BLANK = "Ġ"  # how the library writes the byte of a blank
SHIFT = len(SPECIALS)


class Bpe(Tokenizer):
    """Pieces of the library, behind the special ones. All 256 bytes are pieces, so `[UNK]` never comes up."""

    name: ClassVar[str] = "bpe"

    def __init__(self, learned: Mapping[str, Any]) -> None:
        super().__init__(learned)
        self._inner = library().Tokenizer.from_str(json.dumps(learned["file"]))

    @property
    def size(self) -> int:
        """Return how many pieces there are, the special ones among them."""
        return SHIFT + int(self._inner.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text's pieces."""
        kept = normal(text)
        return (
            [SHIFT + n for n in self._inner.encode(f" {kept}", add_special_tokens=False).ids] if kept else []
        )

    def numbers(self, piece: str) -> list[int]:
        """Return the numbers of one piece, which a blank stands before unless it is glued."""
        bare = piece.removeprefix(GLUED)
        text = bare if bare != piece else f" {bare}"
        return [SHIFT + n for n in self._inner.encode(text, add_special_tokens=False).ids]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of some numbers in normal form, a line for each SEP."""
        return "\n".join(self._line(line) for line in self.lines(ids))

    def _line(self, ids: list[int]) -> str:
        found, run = [], list[int]()
        for number in [*ids, -1]:
            if number >= SHIFT:
                self.piece(number)
                run.append(number - SHIFT)
                continue
            found.append(self._inner.decode(run) if run else "")
            found.append(f" {SPECIALS[number]}" if number >= 0 else "")
            run = []
        return "".join(found).removeprefix(" ")

    def piece(self, number: int) -> str:
        """Return a piece by its number, `##` before one that goes on. Raises DataError for one that is not there."""
        if 0 <= number < SHIFT:
            return SPECIALS[number]
        found = self._inner.id_to_token(number - SHIFT) if number >= SHIFT else None
        if found is None:
            raise DataError("a vocabulary has no such piece", found=f"{number} of {self.size}")
        text = str(self._inner.decode([number - SHIFT]))
        return text[1:] if text.startswith(" ") else GLUED + text


def learn(counted: Statistics, *, size: int, least: int) -> dict[str, Any]:
    """Return the library's file of a vocabulary learned from the words of at least `least` patients.

    A run of bytes is a piece only if it is in such words; digits stay single. Raises MissingExtra, DataError.
    """
    lib = library()
    words, _ = known(counted, least=least)
    alphabet = lib.pre_tokenizers.ByteLevel.alphabet()
    if size < SHIFT + len(alphabet):
        raise DataError(
            "bytes alone need more room", found=f"size={size}", hint=f"{SHIFT + len(alphabet)} or more"
        )
    made = lib.Tokenizer(lib.models.BPE())
    made.pre_tokenizer = lib.pre_tokenizers.Sequence(
        [
            lib.pre_tokenizers.Digits(individual_digits=True),
            lib.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    made.decoder = lib.decoders.ByteLevel()
    trainer = lib.trainers.BpeTrainer(
        vocab_size=size - SHIFT, initial_alphabet=alphabet, special_tokens=[], show_progress=False
    )
    made.train_from_iterator(repeated(words), trainer)
    return {"file": json.loads(made.to_str())}


TOKENIZER = Bpe
