"""Counting of words, so that a vocabulary can be learned from sums alone, and holds nothing of a single patient.

What is counted can be merged over hosts. A word of fewer than `least` patients is forgotten before anything is learned.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from vesalius.core.errors import DataError
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.language.normal import GLUED, is_word, normal, pieces

if TYPE_CHECKING:
    from vesalius.language.tokenizers.contract import Tokenizer

LEAST = 2  # patients
OFTEN, PATIENTS = "often", "patients"


def count(texts: Iterable[str], *, of: Sequence[str] | None = None) -> Statistics:
    """Return how often each word and sign occurs in texts, and in those of how many patients.

    `of` says of which patient each text is; without it each is of a patient of its own. Raises DataError where it says
    so of another number of texts.
    """
    held = [pieces(text) for text in texts]
    patients = [str(n) for n in range(len(held))] if of is None else list(of)
    if len(patients) != len(held):
        raise DataError(
            "there is not one patient for each text", found=f"{len(held)} texts, {len(patients)} patients"
        )
    by_patient: dict[str, set[str]] = {}
    often = Counter[str]()
    for patient, found in zip(patients, held, strict=True):
        by_patient.setdefault(patient, set()).update(bare for p in found if (bare := p.removeprefix(GLUED)))
        often.update(_glued(found))
    return Statistics(
        {
            OFTEN: Tally(len(held), dict(sorted(often.items()))),
            PATIENTS: Tally.of_each(sorted(words) for _, words in sorted(by_patient.items())),
        }
    )


def _glued(found: Iterable[str]) -> Iterator[str]:
    """Yield pieces with the glue before a word in one with it: `##sided`."""
    glue = False
    for piece in found:
        if piece == GLUED:
            glue = True
            continue
        yield GLUED + piece if glue else piece
        glue = False


def known(counted: Statistics, *, least: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return how often each word and each sign (digits among these) occurs that `least` patients have in common.

    Most frequent ones stand first. Raises DataError where `least` is below one.
    """
    if least < 1:
        raise DataError("a word is known of one patient at least", found=f"least={least}")
    often, patients = counted.part(OFTEN, Tally), counted.part(PATIENTS, Tally)
    common = Counter[str]()
    for piece in often:
        bare = str(piece).removeprefix(GLUED)
        if patients[bare] >= least:
            common[bare] += often[piece]
    ordered = sorted(common, key=lambda p: (-common[p], p))
    words = {p: common[p] for p in ordered if is_word(p)}
    return words, {p: common[p] for p in ordered if not is_word(p)}


def chances(counted: Statistics, tokenizer: Tokenizer) -> list[float]:
    """Return the log of how often each number of a tokenizer occurs in what was counted, and END once a text.

    Each has one occurrence more than it has, so that none is impossible (Laplace's rule).
    """
    often = counted.part(OFTEN, Tally)
    found = [1] * tokenizer.size
    for piece in often:
        for number in tokenizer.numbers(str(piece)):
            found[number] += often[piece]
    found[tokenizer.end] += often.n
    whole = math.log(sum(found))
    return [math.log(n) - whole for n in found]


def masked(text: str, words: Iterable[str], *, mask: str = " ") -> str:
    """Return a text in normal form with `mask` in place of every word that is not among `words`."""
    kept = set(words)
    return normal("".join(_masked(text, kept, mask)))


def _masked(text: str, kept: set[str], mask: str) -> Iterable[str]:
    glue = True
    for piece in pieces(text):
        if piece == GLUED:
            glue = True
            continue
        bare = piece.removeprefix(GLUED)
        yield "" if glue or bare != piece else " "
        yield mask if is_word(bare) and bare not in kept else bare
        glue = False
