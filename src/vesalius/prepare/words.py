"""Texts as a vector: how often each known word and pair of words occurs, weighted by how rare it is (tf-idf).

Source: Sparck Jones, "A statistical interpretation of term specificity", Journal of Documentation, 1972. What is known
is plain data, for a task's State: `{"words": ["ejection", "left ventricle", …], "weights": [2.1, …]}`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from vesalius.core.image import Array
from vesalius.core.tally import Tally

MOST = 1000  # words and pairs of words
FEWEST = 5  # texts that a word must stand in: what stands in fewer may be somebody's name, and teaches little
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def words_in(text: str) -> list[str]:
    """Return the words of a text in lower case, without numbers, and then each pair of neighbours."""
    words = _WORD.findall(text.casefold())
    return [*words, *(f"{a} {b}" for a, b in pairwise(words))]


def overview(texts: Iterable[str]) -> Tally:
    """Return in how many texts each word is, which can be merged with others."""
    return Tally.of_each(words_in(text) for text in texts)


def learn(found: Tally) -> dict[str, Any]:
    """Return the words that are known, those in most texts first, and the weight of each."""
    common = sorted((str(w) for w in found if found[w] >= FEWEST), key=lambda w: (-found[w], w))[:MOST]
    return {"words": common, "weights": [1.0 + math.log((1 + found.n) / (1 + found[w])) for w in common]}


def encode(text: str, learned: Mapping[str, Sequence[Any]]) -> Array:
    """Return a text's vector `(W,)` float32, of length one; zeros where it has no known word."""
    counts = Counter(words_in(text))
    vector = np.array(
        [
            math.log1p(counts[w]) * weight
            for w, weight in zip(learned["words"], learned["weights"], strict=True)
        ],
        np.float32,
    )
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
