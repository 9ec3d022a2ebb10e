"""METEOR with its exact and its stem matches, as counts that a thousand resamples can add up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

from vesalius.core.image import Array
from vesalius.metrics._text_stems import stem

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75  # of METEOR 1.5 for English
STEM = 0.6  # what a match of stems weighs beside one of words
BEAM = 40  # alignments that are followed at once
COUNTS = 14  # numbers that are kept of a text
_SMALL = (  # that say little by themselves
    "a about after all also an and any are as at be because been but by can could did do does for from "
    "had has have he her his i if in into is it its may more most no not of on one only or other out over "
    "said she so some such than that the their them then there these they this those to two up was we "
    "were what when which who will with would you "
)
SMALL_WORDS = frozenset(_SMALL.split())

_Match = tuple[int, int, bool]  # places in text and reference, and whether the words are the same
_Path = tuple[int, int, int, int, int, "tuple[_Match, object] | None"]
_NOWHERE = -1


def counts(said: Sequence[str], reference: Sequence[str]) -> list[int]:
    """Return what METEOR counts of a text: `COUNTS` numbers, which add up over texts.

    Words of the text and of the reference; those of each that are small; of words that match as they are, and then of
    those that match by their stem, how many in the text are large and small, and in the reference; the runs of matches,
    none where all words match in one, and the matches.
    """
    made = aligned(said, reference)
    small = [[word in SMALL_WORDS for word in one] for one in (said, reference)]
    found = [len(said), len(reference), sum(small[0]), sum(small[1])]
    for exact in (True, False):
        own = [pair for pair in made if pair[2] is exact]
        for side in (0, 1):
            few = sum(small[side][pair[side]] for pair in own)
            found += [len(own) - few, few]
    before: list[_Match] = [(-2, -2, True), *made[:-1]]
    runs = sum(a[:2] != (b[0] + 1, b[1] + 1) for a, b in zip(made, before, strict=True)) if made else 0
    whole = runs == 1 and len(made) == len(said) == len(reference)
    return [*found, 0 if whole else runs, len(made)]


def score(found: Array | Sequence[float]) -> float:
    """Return METEOR of counts that were added up over texts; NaN where no reference has a word.

    Denkowski and Lavie 2014, equations 1 to 5, with the weights of METEOR 1.5 for English: a match of stems counts 0.6,
    a small word a third of a large one, and many short runs of matches cost up to 0.6. Synonyms and paraphrases, which
    need WordNet and a table of several million entries, are left out.
    """
    said, wanted, few, fewer, *matched, runs, many = (float(n) for n in found)
    if wanted <= 0:
        return math.nan
    if many <= 0:
        return 0.0
    weighed = [
        sum(
            weight * (DELTA * matched[k] + (1 - DELTA) * matched[k + 1])
            for weight, k in ((1.0, place), (STEM, place + 4))
        )
        for place in (0, 2)
    ]
    precision = weighed[0] / (DELTA * (said - few) + (1 - DELTA) * few)
    recall = weighed[1] / (DELTA * (wanted - fewer) + (1 - DELTA) * fewer)
    if precision <= 0 or recall <= 0:
        return 0.0
    mean = 1 / ((1 - ALPHA) / precision + ALPHA / recall)
    return float(mean * (1 - GAMMA * (runs / many) ** BETA))


def aligned(said: Sequence[str], reference: Sequence[str]) -> list[_Match]:
    """Return which words of a text match which of the reference, one to one, in the reference's order.

    As many as can be match as they are, in as few runs and as near to their places as can be; a beam of `BEAM`
    alignments is followed along the reference (Denkowski and Lavie 2014, section 2.1).
    """
    options = _options(said, reference)
    paths: list[_Path] = [(0, 0, 0, _NOWHERE, 0, None)]
    for there, (own, alone) in enumerate(zip(options, _alone(options), strict=True)):
        paths = _stepped(_best(paths), there, own, alone)
    ended = [(p[0], p[1] + (p[3] != _NOWHERE), p[2], p[5]) for p in _best(paths)]
    link = min(ended, key=itemgetter(0, 1, 2))[3]
    made: list[_Match] = []
    while link is not None:
        made.append(link[0])
        link = link[1]  # type: ignore[assignment]
    return made[::-1]


def _best(paths: Sequence[_Path]) -> list[_Path]:
    """Return the best `BEAM` paths: more matches first, then fewer runs, then smaller shifts."""
    return sorted(paths, key=itemgetter(0, 1, 2))[:BEAM]


def _options(said: Sequence[str], reference: Sequence[str]) -> list[list[tuple[int, bool]]]:
    """Return of each word of the reference the places in the text that match it, those of the same word first."""
    stems = [stem(word) for word in said]
    found = []
    for word in reference:
        same = [(k, True) for k, one in enumerate(said) if one == word]
        root = stem(word)
        found.append(same + [(k, False) for k, one in enumerate(stems) if one == root and said[k] != word])
    return found


def _alone(options: Sequence[Sequence[tuple[int, bool]]]) -> list[bool]:
    """Return of each word of the reference whether it has one match, which no other word has: then it is taken."""
    many = Counter(here for own in options for here, _ in own)
    return [len(own) == 1 and many[own[0][0]] == 1 for own in options]


def _stepped(paths: Sequence[_Path], there: int, own: Sequence[tuple[int, bool]], alone: bool) -> list[_Path]:
    """Return the paths with each way to match the word at place `there` of the reference, and without a match.

    A match that is `alone` is never left out. The shift of a path also counts that of the ways that were tried before
    it at the same word, as the public program has it, so that equal paths are told apart as they are there.
    """
    made: list[_Path] = []
    for few, runs, start, end, taken, link in paths:
        shift = start
        for here, same in own:
            bit = 1 << here
            if taken & bit:
                continue
            step: _Match = (here, there, same)
            broken = end not in (_NOWHERE, here)
            far = abs(there - here)
            made.append((few - same, runs + broken, shift + far * alone, here + 1, taken | bit, (step, link)))
            shift += far
        if not alone:
            made.append((few, runs + (end != _NOWHERE), shift, _NOWHERE, taken, link))
    return made
