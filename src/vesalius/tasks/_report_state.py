"""What `report` learns of training reports without gradients: words, sections, findings, and the most frequent report.

Nothing of a single patient enters: a word that fewer than two patients' reports have is not known, and a sentence that
fewer have is not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.finding import Finding
from vesalius.core.plan import Plan
from vesalius.core.sentences import sentences
from vesalius.language import tokenizers
from vesalius.tasks import _report_terms
from vesalius.tasks._report_findings import About, known_of
from vesalius.tasks._report_measured import MEASURED, channels_of
from vesalius.tasks._report_template import NOTHING
from vesalius.tasks._report_text import UNMEASURED, Words, filled, sentences_in, slotted
from vesalius.texts.reading import findings_in
from vesalius.texts.reference import findings_of
from vesalius.texts.sections import parted
from vesalius.texts.terms import Terms

NOT_SEEN = (
    "indication",
    "history",
    "comparison",
    "technique",
    "exam",
    "recommendation",
    "addendum",
    "signature",
)
OFTEN = 0.1  # share of training reports from which a section is written
COMMON = 2  # patients that have a sentence, or a word, from which it is kept
SHARE = 0.99  # of training reports that fit in whole
LONGEST = 256  # tokens at most
MOST = 32  # sentences of which it is kept where the model looked


@dataclass(frozen=True, eq=False)
class Learned:
    """A state as it is used: words, findings, and how a report is read by rules."""

    words: Words
    abouts: tuple[About, ...]
    terms: Terms
    sentences: int

    @property
    def names(self) -> list[str]:
        """Return the names of the findings that were learned."""
        return [about.name for about in self.abouts]

    @property
    def spoken(self) -> dict[str, str]:
        """Return how each finding is written."""
        return {about.name: _report_terms.spoken(self.terms, about.name) for about in self.abouts}

    @property
    def sizes(self) -> dict[str, float]:
        """Return the usual size of each finding that has one, in mm."""
        return {a.name: float(np.exp(a.log_mm)) for a in self.abouts if a.log_mm is not None}

    def read(self, sections: Mapping[str, str]) -> tuple[Finding, ...]:
        """Return what a text says, as data."""
        return findings_in(sections, self.terms)

    def slots(self, report: str) -> dict[str, str]:
        """Return the written sections of a report with sizes of learned findings as slots."""
        held = sections_of(report)
        sized = set(self.sizes)

        def of_sized(sections: Mapping[str, str]) -> Sequence[Finding]:
            return [f for f in self.read(sections) if f.name in sized]

        return slotted({n: held[n] for n in self.words.sections if held.get(n)}, of_sized)

    def truth(self, case: Case) -> tuple[Finding, ...] | None:
        """Return the findings of a case by the names of terms, as `findings_of` says; None where nobody knows."""
        return findings_of(case, self.terms)


def sections_of(report: str) -> Mapping[str, str]:
    """Return a report's sections by name."""
    return parted(report)


def learned_of(cases: Sequence[Case], plan: Plan) -> dict[str, Any]:
    """Return what is learned of training cases with reports, as plain data. Raises DataError where that is nothing."""
    held = [c for c in sorted(cases, key=lambda c: c.id) if c.report and c.report.strip()]
    if not held:
        raise DataError("no training case has a report", hint="a column of reports (--column report=NAME)")
    options = plan.task.options
    terms = _report_terms.chosen(
        str(options.get("terms") or ""),
        [c.report or "" for c in held],
        {f.name for c in held for f in c.findings or ()},
    )
    abouts = known_of([findings_of(c, terms) or () for c in held])
    patients = [c.patient or c.id for c in held]
    names = written_sections([sections_of(c.report or "") for c in held])
    bare = Learned(Words(_no_words(), names, LONGEST), abouts, terms, MOST)
    slots = [bare.slots(c.report or "") for c in held]
    learned = tokenizers.train(
        str(options.get("tokenizer") or "words"),
        ["\n".join(s.values()) for s in slots],
        of=patients,
        least=COMMON,
    )
    words = Words(tokenizers.load(learned), names, LONGEST)
    lengths = [len(words.ids(s)) + 2 for s in slots]
    length = int(min(LONGEST, max(8, np.ceil(np.quantile(lengths, SHARE)))))
    many = min(MOST, max(4, max(sentences_in(s) for s in slots) + 2))
    state = {
        "tokenizer": learned,
        "sections": list(names),
        "length": length,
        "sentences": many,
        "terms": _report_terms.kept(terms),
        "findings": [about.json() for about in abouts],
        MEASURED: channels_of(plan.data, abouts),
        "labels": [{"value": k + 1, "name": about.name} for k, about in enumerate(abouts)],
        "decode": str(options.get("decode") or ""),
        "beams": int(options.get("beams") or 4),
        "mend": str(options.get("mend") or "mark"),
    }
    known = learned_in(State(state))
    return {**state, "trivial": frequent(slots, patients, known)}


def _no_words() -> tokenizers.Tokenizer:
    return tokenizers.load({"name": "words", "pieces": []})


def written_sections(held: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return the sections that are written, in their usual order: those that an image may tell, and reports often have.

    Where these are none, all that reports often have.
    """
    often = Counter(name for sections in held for name, text in sections.items() if text.strip())
    common = [n for n in often if often[n] >= max(1, OFTEN * len(held))]
    told = [n for n in common if n not in NOT_SEEN] or common
    if any(n for n in told if n):
        told = [n for n in told if n or often[n] >= len(held) / 2]
    place = {n: float(np.mean([list(s).index(n) for s in held if n in s])) for n in told}
    return tuple(sorted(told, key=lambda n: (place[n], n)))


def frequent(slots: Sequence[Mapping[str, str]], patients: Sequence[str], known: Learned) -> dict[str, str]:
    """Return the report that the most patients have, word for word; else the sentences that the most have.

    As many sentences of each section as reports usually have, in their usual order, each of COMMON patients at least.
    """
    words = known.words
    texts = [words.text(words.ids(s)) for s in slots]
    whole = Counter(
        key
        for key, _ in {(tuple(t.items()), p) for t, p in zip(texts, patients, strict=True) if known_words(t)}
    )
    best = min(whole, key=lambda t: (-whole[t], t), default=())
    chosen = dict(best) if best and whole[best] >= COMMON else _of_sentences(texts, patients, words.sections)
    sizes = known.sizes
    said, _ = filled(chosen, known.read, sizes)
    return {name: text.replace(UNMEASURED, "small size") for name, text in said.items()} or {
        "findings": NOTHING
    }


def known_words(sections: Mapping[str, str]) -> bool:
    """Return whether a text holds no word that is not known."""
    return not any("[unk]" in text.lower() for text in sections.values())


def _of_sentences(
    texts: Sequence[Mapping[str, str]], patients: Sequence[str], sections: Sequence[str]
) -> dict[str, str]:
    made: dict[str, str] = {}
    for name in sections:
        each = [sentences(t.get(name, "")) for t in texts]
        of: dict[str, set[str]] = {}
        places: dict[str, list[float]] = {}
        for own, patient in zip(each, patients, strict=True):
            for k, sentence in enumerate(own):
                of.setdefault(sentence, set()).add(patient)
                places.setdefault(sentence, []).append(k / len(own))
        kept = [s for s in of if len(of[s]) >= COMMON and known_words({"": s})]
        many = max(1, int(np.median([len(own) for own in each])))
        best = sorted(kept, key=lambda s: (-len(of[s]), s))[:many]
        text = " ".join(sorted(best, key=lambda s: (float(np.mean(places[s])), s)))
        made |= {name: text} if text else {}
    return made


def learned_in(state: State) -> Learned:
    """Return a state as it is used."""
    values = state.values
    tokenizer = tokenizers.load(values["tokenizer"])
    words = Words(tokenizer, tuple(values["sections"]), int(values["length"]))
    abouts = tuple(About.parse(a) for a in values["findings"])
    return Learned(words, abouts, _report_terms.held(values["terms"]), int(values["sentences"]))
