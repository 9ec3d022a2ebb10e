"""The contract of a tokenizer: one file in `language/tokenizers/`, found by its name.

It has a function `learn(counted, *, size, least) -> dict`, which makes plain data of counted words, and `TOKENIZER`,
the class that reads such data again. What is learned begins with `{"name": …}` and is kept in a bundle's state as JSON.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

PAD, BEGIN, END, UNKNOWN, MASK, SEP = range(6)
SPECIALS = ("[PAD]", "[BEGIN]", "[END]", "[UNK]", "[MASK]", "[SEP]")


class Tokenizer(ABC):
    """Texts as numbers and back again.

    Numbers from 0 to 5 are `PAD`, `BEGIN`, `END`, `UNKNOWN`, `MASK` and `SEP`, but for those of a published vocabulary,
    which has its own: `pad`, `begin` … say what they are. `encode` gives the text alone, without BEGIN or END.
    """

    name: ClassVar[str]
    pad: int = PAD
    begin: int = BEGIN
    end: int = END
    unknown: int = UNKNOWN
    mask: int = MASK
    sep: int = SEP

    def __init__(self, learned: Mapping[str, Any]) -> None:
        self.learned = learned

    @property
    @abstractmethod
    def size(self) -> int:
        """Return how many numbers there are, the special ones among them."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text; of what is not known `unknown`."""

    @abstractmethod
    def numbers(self, piece: str) -> list[int]:
        """Return the numbers of a word, a digit or a sign in normal form, which `##` glues to what is before it."""

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of some numbers, in normal form.

        PAD, BEGIN and END say nothing, SEP ends a line, UNKNOWN and MASK stay visible as `[UNK]` and `[MASK]`.
        """

    @abstractmethod
    def piece(self, number: int) -> str:
        """Return what a number stands for, for readers, as `##ly` where it follows without a blank."""

    @property
    def specials(self) -> frozenset[int]:
        """Return the numbers that stand for no part of a text."""
        return frozenset((self.pad, self.begin, self.end, self.unknown, self.mask, self.sep))

    def lines(self, ids: Iterable[int]) -> list[list[int]]:
        """Return numbers parted at SEP, without PAD, BEGIN and END."""
        found: list[list[int]] = [[]]
        for number in ids:
            if number == self.sep:
                found.append([])
            elif number not in (self.pad, self.begin, self.end):
                found[-1].append(int(number))
        return found
