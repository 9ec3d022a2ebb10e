"""Features of texts by their words: how often each word is there, weighed by how few of the learned texts have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array
from vesalius.language.normal import pieces


def word_features(texts: Sequence[str], learned: Sequence[int] | Array) -> Array:
    """Return TF-IDF of each text `(N, V)`, each row of length one.

    The words and their weights are those of the texts at the places `learned` alone: `(1 + log tf) * (1 + log((1 + n) /
    (1 + df)))`, as scikit-learn has it with `sublinear_tf`. A text without any of them is zeros.
    """
    counts = [Counter(pieces(t)) for t in texts]
    seen = Counter(word for k in learned for word in counts[k])
    place = {word: n for n, word in enumerate(sorted(seen))}
    found = np.zeros((len(texts), max(1, len(place))))
    for k, words in enumerate(counts):
        for word, n in words.items():
            if word in place:
                weight = 1 + np.log((1 + len(learned)) / (1 + seen[word]))
                found[k, place[word]] = (1 + np.log(n)) * weight
    length = np.linalg.norm(found, axis=1, keepdims=True)
    unit: Array = found / np.maximum(length, 1e-12)
    return unit
