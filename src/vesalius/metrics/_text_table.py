"""What is kept of each text beside its truth: counts that add up over cases, so that a thousand resamples are quick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.core.answers.text import Text
from vesalius.core.errors import DataError
from vesalius.core.finding import Finding
from vesalius.core.image import Array
from vesalius.core.sentences import all_sentences
from vesalius.metrics import _text_meteor as meteor
from vesalius.metrics._text_consensus import cider
from vesalius.metrics._text_findings import Claim, Held, held
from vesalius.metrics._text_overlap import matches, rouge_l
from vesalius.metrics._text_words import LONGEST, words
from vesalius.texts.reading import findings_in
from vesalius.texts.reference import Reference

OTHERS = 1  # the last place of counts by name: findings that are true of no case
KINDS = ("side", "size", "place", "change")  # what a pair of a claim and a truth can agree in


@dataclass(frozen=True, slots=True)
class Truth:
    """What a text is held against.

    `sections` is the reference text, empty where there is none; `findings` what is true of the image, None where nobody
    knows; `said` what the answer's text says, by the reader that read the reference: None where none did, and then it
    is what the answer's own evidence says. `known` tells whether `findings` are those of the image itself, not of the
    reference text.
    """

    sections: Mapping[str, str]
    findings: tuple[Finding, ...] | None = None
    said: tuple[Finding, ...] | None = None
    known: bool = False


def truth_of(answer: Text, given: Any) -> Truth:
    """Return what a text is held against, and what it says itself where `given` tells by which terms that is read.

    `given` is a Reference, a Truth as it is, or a reference text alone: as a text, by section, or as a Text. Raises
    DataError for anything else.
    """
    if isinstance(given, Truth):
        return given
    if isinstance(given, Reference):
        said = None if given.terms is None else findings_in(answer.sections, given.terms)
        return Truth(given.sections, given.findings, said, given.known)
    sections = {"": given} if isinstance(given, str) else getattr(given, "sections", given)
    if not isinstance(sections, Mapping):
        raise DataError(f"case {answer.case_id}: the truth is no text", found=type(given).__name__)
    return Truth(sections)


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer beside its truth: the words of both, what became of its claims, and its marks by sentence."""

    said: tuple[str, ...]
    wanted: tuple[str, ...]
    held: Held | None
    marks: Mapping[int, bool]


def seen(answer: Text, truth: Truth) -> Seen:
    """Return one answer beside its truth."""
    own, wanted = in_order(answer.sections, truth.sections), truth.sections
    held = held_of(answer, truth)
    return Seen(words("\n".join(own.values())), words("\n".join(wanted.values())), held, marks_of(answer))


def held_of(answer: Text, truth: Truth) -> Held | None:
    """Return what became of the claims of one text; None where nobody knows what is true, or what the text says."""
    said = said_by(answer) if truth.said is None else truth.said
    return None if truth.findings is None or said is None else held(said, truth.findings)


def in_order(sections: Mapping[str, str], like: Mapping[str, str]) -> dict[str, str]:
    """Return sections in the order of others, those that only the first have at the end."""
    return {name: sections[name] for name in (*like, *sections) if name in sections}


def said_by(answer: Text) -> tuple[Finding, ...] | None:
    """Return what an answer's own evidence says, with the places of its sentences; None where it has none."""
    if not answer.evidence:
        return None
    place = _places(answer)
    return tuple(
        replace(f, sentence=place.get((e.section, e.sentence))) for e in answer.evidence for f in e.findings
    )


def marks_of(answer: Text) -> dict[int, bool]:
    """Return of each sentence that was looked at, by its place among all, whether it is marked as not borne out."""
    place = _places(answer)
    return {
        place[e.section, e.sentence]: not e.supported
        for e in answer.evidence
        if e.supported is not None and (e.section, e.sentence) in place
    }


def _places(answer: Text) -> dict[tuple[str, int], int]:
    """Return the place of each sentence among all, by its section and its place there."""
    return {(name, k): n for n, (name, k, _) in enumerate(all_sentences(answer.sections))}


def columns(answers: Sequence[Text], given: Sequence[Any]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the columns of the table, and the names of the findings that are true of some case.

    Raises DataError for other than one truth an answer.
    """
    if len(answers) != len(given):
        raise DataError("need one truth per text", found=f"{len(given)} for {len(answers)}")
    truths = [truth_of(a, t) for a, t in zip(answers, given, strict=True)]
    every = [seen(a, t) for a, t in zip(answers, truths, strict=True)]
    names = tuple(sorted({c.name for s in every if s.held is not None for c in _true(s.held)}))
    told = np.array([bool(s.wanted) for s in every], dtype=bool)
    particular = np.full(len(every), np.nan)
    particular[told] = cider([s.said for s in every if s.wanted], [s.wanted for s in every if s.wanted])
    found = {"told": told, "cider": particular}
    for name, many in (("guessed", LONGEST), ("matched", LONGEST), ("lengths", 2), ("meteor", meteor.COUNTS)):
        found[name] = np.zeros((len(every), many))
    found["rouge_l"] = np.full(len(every), np.nan)
    for k, one in enumerate(every):
        if one.wanted:
            found["guessed"][k], found["matched"][k] = matches(one.said, one.wanted)
            found["lengths"][k] = len(one.said), len(one.wanted)
            found["meteor"][k] = meteor.counts(one.said, one.wanted)
            found["rouge_l"][k] = rouge_l(one.said, one.wanted)
    found |= _of_findings([s.held for s in every], names) | _of_marks(every)
    y = [f"{_joined(t.sections)}\n{'; '.join(map(str, t.findings or ()))}" for t in truths]
    written = np.array([_joined(a.sections) for a in answers], dtype=object)
    known = np.array([t.known for t in truths], dtype=bool)
    return found | {"y": np.array(y, dtype=object), "written": written, "known": known}, names


def _joined(sections: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {text}" for name, text in sections.items())


def _true(one: Held) -> list[Claim]:
    return [*(p.true for p in one.pairs), *one.missed]


def _of_findings(every: Sequence[Held | None], names: tuple[str, ...]) -> dict[str, Array]:
    """Return counts by name, `(N, K + 1)`: claims, truths, claims that are right, and that are right in name."""
    by_name = ("said", "true", "right", "named")
    found: dict[str, Array] = {name: np.zeros((len(every), len(names) + OTHERS)) for name in by_name}
    place = {name: k for k, name in enumerate(names)}
    found |= {name: np.zeros((len(every),)) for name in ("invented", "missed", "denied", "unsure")}
    found |= {name: np.zeros((len(every), 2)) for name in (*(f"{kind}s" for kind in KINDS), "sided")}
    for row, one in enumerate(every):
        if one is None:
            continue
        for pair in one.pairs:
            for name in ("said", "true", "named", *(("right",) if pair.right else ())):
                found[name][row, place[pair.true.name]] += 1
            for kind in KINDS:
                agrees = getattr(pair, kind)
                found[f"{kind}s"][row] += (agrees is not None, bool(agrees))
            found["sided"][row] += (pair.sided is not None, bool(pair.sided))
        for claim in one.invented:
            found["said"][row, place.get(claim.name, len(names))] += 1
        for claim in one.missed:
            found["true"][row, place[claim.name]] += 1
        found["invented"][row], found["missed"][row] = len(one.invented), len(one.missed)
        found["denied"][row] = len(one.denied)
        found["unsure"][row] = sum(c.unsure for c in (*one.invented, *(p.said for p in one.pairs)))
    return found | {"judged": np.array([one is not None for one in every], dtype=bool)}


def _of_marks(every: Sequence[Seen]) -> dict[str, Array]:
    """Return of sentences `(N, 2)` how many, and how many of them are marked: all, the untrue ones, the true ones."""
    found = {name: np.zeros((len(every), 2)) for name in ("looked", "untrue", "sound")}
    for row, one in enumerate(every):
        found["looked"][row] = len(one.marks), sum(one.marks.values())
        if one.held is None or not one.marks:
            continue
        for place in one.held.wrong:
            found["untrue"][row] += 1, one.marks.get(place, False)
        for place in one.held.spoken - one.held.wrong:
            found["sound"][row] += 1, one.marks.get(place, False)
    return found
