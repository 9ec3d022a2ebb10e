"""Published: the vocabulary of a model that others trained, as the `tokenizer.json` beside its weights has it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from vesalius.core.errors import DataError
from vesalius.core.statistics import Statistics
from vesalius.language.normal import GLUED
from vesalius.language.tokenizers._library import library
from vesalius.language.tokenizers.contract import Tokenizer

NAMES = {"published": "the vocabulary of a published model, as its tokenizer.json has it; it learns nothing"}
EXTRA = "hf"
CALLED = {
    "pad": ("[PAD]", "<pad>", "<|endoftext|>"),
    "begin": ("[CLS]", "<s>", "<|endoftext|>"),
    "end": ("[SEP]", "</s>", "<|endoftext|>"),
    "unknown": ("[UNK]", "<unk>", "<|endoftext|>"),
    "mask": ("[MASK]", "<mask>", "[UNK]", "<|endoftext|>"),
    "sep": ("[SEP]", "</s>", "<|endoftext|>"),
}


class Published(Tokenizer):
    """The library's own tokenizer of a published model, with that model's normal form and special pieces."""

    name: ClassVar[str] = "published"

    def __init__(self, learned: Mapping[str, Any]) -> None:
        super().__init__(learned)
        lib = library()
        try:
            self._inner = lib.Tokenizer.from_str(json.dumps(learned["file"]))
        except Exception as error:  # the library raises plain Exception for a file that is none of its own
            raise DataError("this is no tokenizer.json", found=" ".join(str(error).split())[:120]) from error
        self._inner.no_truncation()
        self._inner.no_padding()
        for role, names in CALLED.items():
            found = next((n for name in names if (n := self._inner.token_to_id(name)) is not None), None)
            if found is None:
                raise DataError("a vocabulary has no special piece", found=f"none of {', '.join(names)}")
            setattr(self, role, found)

    @property
    def size(self) -> int:
        """Return how many pieces there are, the special ones among them."""
        return int(self._inner.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text's pieces, without those about it."""
        return list(self._inner.encode(text, add_special_tokens=False).ids)

    def numbers(self, piece: str) -> list[int]:
        """Return the numbers of one piece: as it goes on where there is such a one, else as it stands alone."""
        bare = piece.removeprefix(GLUED)
        glued = self._inner.token_to_id(piece) if bare != piece else None
        return [int(glued)] if glued is not None else self.encode(bare)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of some numbers, without special ones, in the model's own normal form."""
        return str(self._inner.decode([int(n) for n in ids], skip_special_tokens=True))

    def piece(self, number: int) -> str:
        """Return a piece by its number, as the file has it. Raises DataError for one that is not there."""
        found = self._inner.id_to_token(int(number))
        if found is None:
            raise DataError("a vocabulary has no such piece", found=f"{number} of {self.size}")
        return str(found)


def learn(counted: Statistics, *, size: int, least: int) -> dict[str, Any]:
    """Raise DataError: a published vocabulary comes with its weights, and is not learned."""
    raise DataError(
        "a published vocabulary is not learned",
        hint="tokenizer words, bpe or wordpiece, and --init with its weights",
    )


TOKENIZER = Published
