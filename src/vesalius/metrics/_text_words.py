"""Words and word sequences of a text, alike for every figure that counts them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

LONGEST = 4  # words of the longest sequence that is counted
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]\w*(?:['’\-/][^\W_]+)*")


def words(text: str) -> tuple[str, ...]:
    """Return the words and numbers of a text in lower case, without punctuation; `12-mm` are two, `ill-defined` one."""
    return tuple(_WORD.findall(text.lower()))


def sequences(said: Sequence[str], longest: int = LONGEST) -> tuple[Counter[tuple[str, ...]], ...]:
    """Return how often each sequence of 1, 2, … `longest` words occurs."""
    return tuple(
        Counter(tuple(said[k : k + n]) for k in range(len(said) - n + 1)) for n in range(1, longest + 1)
    )
