"""BM25: texts ranked by the words that they share with a query, rare words counting more and long texts less."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.language.normal import is_word, pieces

K1, B = 1.2, 0.75


@dataclass(frozen=True, eq=False)
class BM25:
    """Texts that can be asked. `k1` says how soon a repeated word counts no more, `b` how much length is held against.

    A word's weight is ln(1 + (N - n + 0.5) / (n + 0.5)) of N texts of which n have it, so that it is never negative.
    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, eq. 3.15.
    """

    postings: dict[str, dict[int, int]]
    lengths: Array  # (N,) words of each text
    k1: float = K1
    b: float = B

    @classmethod
    def of(cls, texts: Sequence[str], *, k1: float = K1, b: float = B) -> BM25:
        """Return an index of texts. Raises DataError where there is none."""
        if not texts:
            raise DataError("there are no texts to search")
        postings: dict[str, dict[int, int]] = {}
        lengths = np.zeros(len(texts))
        for place, text in enumerate(texts):
            found = words_of(text)
            lengths[place] = len(found)
            for word, many in Counter(found).items():
                postings.setdefault(word, {})[place] = many
        return cls(postings, lengths, k1, b)

    def scores(self, query: str) -> Array:
        """Return how well each text fits a query, `(N,)`, 0 where they share no word.

        A word that the query repeats counts as often.
        """
        found = np.zeros(len(self.lengths))
        mean = float(self.lengths.mean()) or 1.0
        for word, times in Counter(words_of(query)).items():
            held = self.postings.get(word, {})
            rare = math.log(1 + (len(self.lengths) - len(held) + 0.5) / (len(held) + 0.5))
            for place, many in held.items():
                long = self.k1 * (1 - self.b + self.b * self.lengths[place] / mean)
                found[place] += times * rare * many * (self.k1 + 1) / (many + long)
        return found

    def ranked(self, query: str, *, without: Sequence[int] = ()) -> list[int]:
        """Return the places of the texts, the best first; of equals the earlier. `without` are left out."""
        scores, out = self.scores(query), set(without)
        return [int(k) for k in np.argsort(-scores, kind="stable") if int(k) not in out]


def words_of(text: str) -> list[str]:
    """Return the words and the digits of a text in lower case."""
    bare = (piece.removeprefix("##") for piece in pieces(text))
    return [piece for piece in bare if piece and (is_word(piece) or piece.isdigit())]
