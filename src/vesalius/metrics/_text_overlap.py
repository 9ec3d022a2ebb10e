"""BLEU and ROUGE-L of one text against one reference, as counts that a thousand resamples can add up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array
from vesalius.metrics._text_words import LONGEST, sequences

BETA = 1.2  # of ROUGE-L: how much more recall weighs than precision, as COCO's captions are judged
_SMALL, _TINY = 1e-9, 1e-15  # of the public implementation, so that nothing is divided by 0


def matches(said: Sequence[str], reference: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return how many sequences of 1 to 4 words the text has, and how many of these the reference has as often."""
    own, other = sequences(said), sequences(reference)
    guessed = [max(0, len(said) - n) for n in range(LONGEST)]
    right = [sum(min(many, b[key]) for key, many in a.items()) for a, b in zip(own, other, strict=True)]
    return guessed, right


def bleu(guessed: Array, right: Array, lengths: Array) -> list[float]:
    """Return BLEU-1 to BLEU-4 of counts that were added up over texts; NaN where no reference has a word.

    `guessed` and `right` `(4,)` are those of `matches`, `lengths` are the words of texts and of references. Papineni et
    al. 2002, one reference a text, without smoothing: the geometric mean of the precisions times the brevity penalty.
    """
    written, wanted = (float(n) for n in lengths)
    if wanted <= 0:
        return [math.nan] * LONGEST
    product, found = 1.0, []
    for n in range(LONGEST):
        product *= (float(right[n]) + _TINY) / (float(guessed[n]) + _SMALL)
        found.append(product ** (1 / (n + 1)))
    ratio = (written + _TINY) / (wanted + _SMALL)
    short = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    return [value * short for value in found]


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many words the longest sequence has that both hold in this order, with gaps."""
    if not one or not other:
        return 0
    place = {word: k for k, word in enumerate(dict.fromkeys((*one, *other)))}
    wanted = np.array([place[w] for w in other])
    before = np.zeros(len(other) + 1, dtype=np.int64)
    for word in one:
        stepped = np.where(wanted == place[word], before[:-1] + 1, before[1:])
        before = np.concatenate([[0], np.maximum.accumulate(stepped)])
    return int(before[-1])


def rouge_l(said: Sequence[str], reference: Sequence[str]) -> float:
    """Return ROUGE-L, the F measure of the longest common sequence of words, with β = 1.2 (Lin 2004, section 3)."""
    shared = common(said, reference)
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(reference)
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
