"""Phrases: one finding as a writer words it: noun, degree, side, place, size and how it went since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from vesalius.core.finding import Finding
from vesalius.phantom.reports.content import Content
from vesalius.phantom.reports.style import Style
from vesalius.phantom.reports.words import BRITISH, SPOKEN, WORDS, Word

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
UNCOUNTED = ("fluid", "lymphadenopathy", "lymph node enlargement")  # nouns without an article
WHOLE_CM = 0.08  # how far off a size in whole centimetres may be, as a share, to be said in words
CHANGES = {  # how a finding went since, as each writer may say it
    "new": ("new since the prior study", "new compared with the prior study", "new"),
    "larger": ("larger than before", "increased in size since the prior study", "increased"),
    "smaller": ("smaller than before", "decreased in size since the prior study", "decreased"),
    "unchanged": ("unchanged since the prior study", "stable compared with the prior study", "unchanged"),
}
DOUBTS = (
    "Possible {bare}.",
    "{a} is suspected.",
    "Questionable {bare}.",
    "{a} cannot be excluded.",
)
GONE = ("The previously seen {bare} has resolved.", "Interval resolution of the {bare}.", "Resolved {bare}.")


@dataclass(frozen=True)
class Pen:
    """What a writer has at hand: its style, what it writes of, and chance."""

    content: Content
    style: Style
    random: np.random.Generator

    def one_of(self, places: tuple[int, ...]) -> int:
        """Return one of the places."""
        return places[int(self.random.integers(len(places)))]

    def word(self, name: str) -> Word:
        """Return the words of a finding."""
        return WORDS[self.content.sort][name]

    def spelled(self, text: str) -> str:
        """Return a text in the writer's spelling."""
        if self.style.british:
            for american, british in BRITISH.items():
                text = text.replace(american, british)
        return text


def noun_of(pen: Pen, name: str, *, plural: bool = False) -> str:
    """Return one of the nouns that this writer has for a finding."""
    word = pen.word(name)
    k = pen.one_of(pen.style.nouns)
    nouns = word.plurals if plural and word.plurals else word.nouns
    return nouns[k if k < len(nouns) else 0]


def size_of(pen: Pen, size_mm: float) -> tuple[str, float]:
    """Return a size as this writer says it, and the number that is said, in mm."""
    style = pen.style
    rounded = max(style.rounding_mm * round(size_mm / style.rounding_mm), style.rounding_mm)
    if style.words and abs(round(size_mm / 10) * 10 - size_mm) <= WHOLE_CM * size_mm and size_mm >= 10:
        whole = round(size_mm / 10)
        return f"{COUNTS[whole]} centimetre{'s' * (whole > 1)}" if whole < 10 else f"{whole} cm", 10.0 * whole
    if style.unit == "cm":
        tenths = round(rounded / 10, 1)
        return f"{tenths:.1f} cm", round(10 * tenths, 1)
    return f"{rounded:g} mm", float(rounded)


def where_of(pen: Pen, finding: Finding) -> str:
    """Return where a finding lies, as words that follow `in the`; empty where its words do not say it."""
    if not pen.word(finding.name).where or not finding.place:
        return ""
    spoken, side = SPOKEN.get(finding.place, (finding.place,)), finding.side
    place = spoken[pen.style.nouns[0] % len(spoken)]
    if place == "liver" and side:
        return f"{side} lobe of the liver"
    return f"{side} {place}" if side else place


def bare(pen: Pen, finding: Finding, degree: int | None, *, place: bool = True, apart: bool = False) -> str:
    """Return what a finding is without an article: `small right pleural effusion`, `nodule in the left lung`.

    Its place is left out unless asked for; `apart` sets it off by a comma.
    """
    word, many = pen.word(finding.name), (finding.count or 1) > 1
    both = finding.side == "both"
    words = [] if degree is None or word.degrees is None else [word.degrees[degree - 1]]
    where = where_of(pen, finding) if place else ""
    if finding.side and not where:
        words.append("bilateral" if both else finding.side)
    words.append(noun_of(pen, finding.name, plural=many or (both and word.countable)))
    if where:
        words.append(f", {where}" if apart else f"in the {where}")
    return " ".join(words).replace(" ,", ",")


def with_article(pen: Pen, finding: Finding, text: str) -> str:
    """Return it with the number or the article that it takes."""
    count = finding.count or 1
    if count > 1:
        return f"{COUNTS[count] if count < len(COUNTS) else count} {text}"
    countable = pen.word(finding.name).countable and finding.side != "both"
    if not countable or any(noun in text for noun in UNCOUNTED):
        return text
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def capital(text: str) -> str:
    """Return a text whose first letter is a capital."""
    return text[:1].upper() + text[1:]


def affirmed(pen: Pen, finding: Finding, degree: int | None, extent: str = "") -> tuple[str, Finding]:
    """Return the sentence that affirms a finding, and what it says; `extent` are words about its size."""
    told = replace(finding, sentence=None)
    text = bare(pen, finding, degree, apart=pen.style.form == "terse")
    size = ""
    if finding.size_mm is not None:
        size, number = size_of(pen, finding.size_mm)
        told = replace(told, size_mm=number)
    many = (finding.count or 1) > 1
    since = CHANGES[finding.change][pen.one_of(pen.style.changes)] if finding.change in CHANGES else ""
    if pen.style.form == "terse":
        parts = [capital(f"{COUNTS[finding.count or 1]} {text}" if many else text)]
        parts += [("up to " if many else "") + size] if size else [extent] if extent else []
        sentence = ", ".join([*parts, *([since] if since else [])])
        return pen.spelled(sentence + "."), _placed(pen, told)
    first = bool(size) and not many and not any(noun in text for noun in UNCOUNTED)
    if first:
        an = size.startswith(("8", "11 ", "11.", "18 ", "18.", "eight"))
        text = f"{'an' if an else 'a'} {size.replace('centimetres', 'centimetre')} {text}"
    else:
        text = with_article(pen, finding, text)
    tail = f", the largest {size}" if many and size else f", {size}" if size and not first else ""
    tail += (f", {extent}" if extent and not size else "") + (f", {since}" if since else "")
    be = "are" if many or (finding.side == "both" and pen.word(finding.name).countable) else "is"
    if pen.style.form == "narrative":
        sentence = f"{capital(text)} {be} seen{tail}"
    else:
        seen = (
            partial("There {1} {0}".format),
            partial("{2} {1} present".format),
            partial("{2} {1} noted".format),
        )
        sentence = seen[int(pen.random.integers(3))](text, be, capital(text)) + tail
    return pen.spelled(sentence + "."), _placed(pen, told)


def doubted(pen: Pen, finding: Finding, degree: int | None) -> tuple[str, Finding]:
    """Return the sentence that says of a finding that it may be there, without a size."""
    text = bare(pen, finding, degree)
    phrase = DOUBTS[pen.one_of(pen.style.doubt)]
    article = with_article(pen, finding, text)
    sentence = phrase.format(bare=text, a=capital(article))
    if (finding.count or 1) > 1 or article.startswith("bilateral"):
        sentence = sentence.replace(" is suspected", " are suspected")
    told = replace(finding, status="uncertain", size_mm=None, change=None, sentence=None)
    told = told if sentence.startswith(capital(article)) else replace(told, count=None)
    return pen.spelled(capital(sentence)), _placed(pen, told)


def went(pen: Pen, finding: Finding) -> tuple[str, Finding]:
    """Return the sentence that says of a finding of before that it is gone."""
    one = replace(finding, size_mm=None, count=None, sentence=None)
    text = bare(pen, one, None, place=False)
    sentence = GONE[pen.one_of(pen.style.changes)].format(bare=text)
    return pen.spelled(sentence), replace(one, status="absent", change="gone", place="")


def _placed(pen: Pen, told: Finding) -> Finding:
    """Return what is said without a place where the words do not say one."""
    said = bool(where_of(pen, told))
    return told if said else replace(told, place="")
