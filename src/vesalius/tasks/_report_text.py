"""The words of `report`: reports as tokens and back, sizes as slots that are filled with what was measured.

A size that a report states of a finding is learned as a slot in its unit, and never as digits: what is written comes
from a mask, a box or the size that the model found, not from what writers often write. Sections follow one another as
lines; which they are is in the state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.finding import Finding
from vesalius.core.image import Array
from vesalius.core.sentences import all_sentences, sentences
from vesalius.language.normal import sentence_case
from vesalius.language.tokenizers import Tokenizer

SLOTS = {"mm": "sizemm", "cm": "sizecm"}
UNMEASURED = "unmeasured size"  # written where a sentence speaks of a size, and none is known
STRANGE = 1000  # mm: no size that is written; what slots stand for while it is found out whose size they are
ENDS = ".!?"
_UNIT = r"(?P<unit>mm|millimet(?:er|re)s?|cm|centimet(?:er|re)s?)"
_NUMBER = r"\d{1,6}(?:[.,]\d{1,6})?"  # `1,5 cm` is 1.5 cm, as `texts/` reads it
_SIZE = re.compile(
    rf"(?<![\w.,/])(?P<numbers>{_NUMBER}(?:\s{{0,3}}(?:mm|cm)?\s{{0,3}}(?:[x×]|by)\s{{0,3}}{_NUMBER}){{0,3}})"
    rf"[\s-]{{0,3}}{_UNIT}\b",
    re.IGNORECASE,
)
_SLOT = re.compile("|".join(SLOTS.values()), re.IGNORECASE)

Reader = Callable[[Mapping[str, str]], Sequence[Finding]]


def slotted(sections: Mapping[str, str], read: Reader) -> dict[str, str]:
    """Return a report with the sizes that it states of findings as slots; other numbers stay as they are."""
    sized: dict[int, list[float]] = {}
    for one in read(sections):
        if one.size_mm is not None and one.sentence is not None:
            sized.setdefault(one.sentence, []).append(one.size_mm)
    place, made = 0, {}
    for name, text in sections.items():
        own = []
        for sentence in sentences(text):
            own.append(_slots(sentence, sized.get(place, ())))
            place += 1
        made[name] = " ".join(own)
    return made


def _slots(sentence: str, sizes: Sequence[float]) -> str:
    def one(match: re.Match[str]) -> str:
        unit = "cm" if match["unit"].lower().startswith("c") else "mm"
        numbers = [float(n.replace(",", ".")) for n in re.findall(_NUMBER, match["numbers"])]
        largest = max(numbers) * (10 if unit == "cm" else 1)
        return SLOTS[unit] if any(abs(largest - s) < 0.06 for s in sizes) else match.group()

    return _SIZE.sub(one, sentence)


def filled(
    sections: Mapping[str, str], read: Reader, sizes: Mapping[str, float]
) -> tuple[dict[str, str], set[int]]:
    """Return a text with its slots filled by the size of the finding that each is of, and the sentences left without.

    Whose size a slot is, is read from the sentence itself, in which each slot stands for another size meanwhile.
    """
    stands = _Count()
    strange = {name: _SLOT.sub(lambda _: f"{stands.next()} mm", text) for name, text in sections.items()}
    owners = {round(f.size_mm or 0.0): f.name for f in read(strange) if f.size_mm is not None}
    slots = _Count()

    def one(match: re.Match[str]) -> str:
        return _said(match.group(), sizes.get(owners.get(slots.next(), "")))

    empty: set[int] = set()
    made, place = {}, 0
    for name, text in sections.items():
        own = []
        for sentence in sentences(text):
            said = _SLOT.sub(one, sentence)
            empty |= {place} if UNMEASURED in said else set()
            own.append(said)
            place += 1
        made[name] = " ".join(own)
    return made, empty


class _Count:
    """Numbers the slots of a text, from STRANGE on."""

    def __init__(self) -> None:
        self.last = STRANGE - 1

    def next(self) -> int:
        self.last += 1
        return self.last


def _said(slot: str, size_mm: float | None) -> str:
    if size_mm is None:
        return UNMEASURED
    return f"{size_mm / 10:.1f} cm" if slot.lower() == SLOTS["cm"] else f"{max(1, round(size_mm))} mm"


@dataclass(frozen=True, eq=False)
class Words:
    """How reports are tokens: a tokenizer, the sections in their order, and the length that all have."""

    tokenizer: Tokenizer
    sections: tuple[str, ...]
    length: int

    def tokens(self, sections: Mapping[str, str]) -> Array:
        """Return a report, sizes as slots, as `(length,)` int64: BEGIN, a line for each section, END, and PAD.

        What is longer ends with END all the same.
        """
        ids = self.ids(sections)[: self.length - 2]
        row = np.full(self.length, self.tokenizer.pad, np.int64)
        row[: len(ids) + 2] = [self.tokenizer.begin, *ids, self.tokenizer.end]
        return row

    def ids(self, sections: Mapping[str, str]) -> list[int]:
        """Return a report's numbers, without BEGIN and END."""
        found: list[int] = []
        for k, name in enumerate(self.sections):
            found += [self.tokenizer.sep] if k else []
            found += self.tokenizer.encode(sections.get(name, ""))
        return found

    def text(self, ids: Iterable[int]) -> dict[str, str]:
        """Return what tokens say, by section; a section of which nothing is said is left out."""
        lines = self.tokenizer.lines(ids)[: len(self.sections)]
        said = [sentence_case(self.tokenizer.decode(line)).strip() for line in lines]
        return {name: text for name, text in zip(self.sections, said, strict=False) if text}

    def places(self, ids: Sequence[int]) -> list[int]:
        """Return of each token the place of its sentence among all sentences of `text`."""
        return places(self.tokenizer, ids)


def places(tokenizer: Tokenizer, ids: Sequence[int]) -> list[int]:
    """Return of each token the place of its sentence among all sentences of the text that they say, from 0."""
    found: list[int] = []
    before, within, ended = 0, 0, False
    line: list[int] = []
    for token in ids:
        if token == tokenizer.sep:
            found.append(max(0, before + within - 1))
            before, within, ended, line = before + within, 0, False, []
            continue
        line.append(token)
        special = token in tokenizer.specials
        if (ended or not within) and not special:
            within = len(sentences(tokenizer.decode(line)))
        ended = not special and tokenizer.piece(token).rstrip()[-1:] in ENDS
        found.append(max(0, before + within - 1))
    return found


def sentences_in(sections: Mapping[str, str]) -> int:
    """Return how many sentences a text in sections has."""
    return len(all_sentences(sections))
