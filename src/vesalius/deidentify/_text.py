"""Free text: remove what identifies a person, or keep only the words of the standard's own codes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from vesalius.deidentify._descriptors import WORD, folded, is_term, kept, vocabulary
from vesalius.deidentify._ordinary import is_common
from vesalius.deidentify._titles import titled

GONE = "[removed]"
_SHORTEST = 3  # letters of a name's part that is looked for elsewhere
_SHORTEST_ID = 4
_NUMBER = 6  # digits of a number that is looked for however they are grouped
_GROUPS = r"[\s./-]?"
_IN_BYTES = 6  # so long that bytes by chance do not make it
_NO_SPACES = "\u0e00"  # from Thai on: kana, ideographs, Hangul
_DIGRAPHS = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "ß": "ss"}
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+",  # e-mail, as long as its parts may be (RFC 5321, RFC 1035)
        r"\b(?:https?|ftp|dicom|hl7)://\S+|\bwww\.\S+",
        r"\b(?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])\b",  # a date, in several orders
        r"\b(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:19|20)\d{2}\b",
        r"\b(?:0?[1-9]|[12]\d|3[01])[/-](?:0?[1-9]|[12]\d|3[01])[/-]\d{2}\b|\b[0-3]\d\.[01]\d\.\d{2}\b",
        r"\b(?:19|20)\d{2}[01]\d[0-3]\d(?:\d{4,6})?\b",
        r"\b\d{1,2}[\s.-]*(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\s,.-]*\d{2,4}\b",
        r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\s.]+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}\b",
        r"(?:\+|\b)\d{1,4}[\s()./-]*(?:\d{2,5}[\s()./-]+){1,4}\d{2,5}\b",  # a telephone number
        r"\b0\d{1,4}[\s/-]+\d{3,}\b",
        r"\b\d{3}-\d{2}-\d{4}\b",
        r"\b(?=\w*\d)\w*\d{5,}\w*\b",  # a number of five digits or more, as identifiers are
        r"\b(?:\d{1,3}\.){3}\d{1,3}\b",  # an IPv4 address
    )
)


class Cleaner:
    """Takes one data set's own identifiers, and whatever looks like one, out of text."""

    def __init__(self, identifiers: Iterable[str] = ()) -> None:
        self.words: set[str] = set()
        self.phrases: set[str] = set()
        self.short: set[str] = set()  # names of two letters, which technical terms of fixed form may share
        self.numbers: set[str] = set()
        self.runs: set[str] = set()  # names in scripts that put no spaces between words
        for value in identifiers:
            self.add(value)

    def add(self, value: str, *, name: bool = True) -> None:
        """Search for this value and its words from now on; only uncommon words of what is not a person's name."""
        whole = _composed(value).lower()
        for spelt in {whole, *_spellings(whole)} if name else {whole}:
            self._add(folded(spelt).strip(" ^=,;."), name=name)

    def add_place(self, value: str) -> None:
        """Search for the name of a folder or file, and for its words that are neither clinical nor ordinary."""
        phrase = folded(_composed(value).lower()).strip(" ^=,;.")
        if not is_common(phrase):
            known = set(self.words)
            self._add(phrase, name=False)
            self.words -= {word for word in WORD.findall(phrase) if is_common(word)} - known

    def _add(self, phrase: str, *, name: bool) -> None:
        if len(phrase) >= _SHORTEST_ID:
            self.phrases.add(phrase)
        digits = re.sub(r"\D", "", phrase)
        if len(digits) >= _NUMBER and len(digits) * 2 > len(phrase):
            self.numbers.add(digits)
        for word in WORD.findall(phrase):
            if not name and (word in vocabulary() or is_term(word)):
                continue
            if len(word) >= (_SHORTEST_ID if any(c.isdigit() for c in word) else _SHORTEST):
                self.words.add(word)
        if name:
            for group in phrase.split("="):
                self._person([WORD.findall(part) for part in group.split("^")[:3]])

    def _person(self, parts: list[list[str]]) -> None:
        """The ways in which a family name and given names are written as one word."""
        family, given = ("".join(part) for part in (*parts, [])[:2])
        for one in (family, given, family + given, given + family):
            if len(one) > 1 and max(one) >= _NO_SPACES:
                self.runs.add(one)
        self.short |= {word for part in parts for word in part if len(word) == 2}
        glued = {family, given}
        if len(family) >= _SHORTEST and given:
            glued |= {family + given, given + family, family + given[0], given[0] + family}
        self.words |= {word for word in glued if len(word) >= _SHORTEST}

    def scrub(self, text: str) -> str:
        """Return the text without identifiers, dates, telephone numbers, addresses of machines and titled names."""
        found = _composed(text)
        for pattern in _PATTERNS:
            found = pattern.sub(GONE, found)
        return self.known(_without(found, titled(found)))

    def known(self, text: str) -> str:
        """Return the text without this data set's own identifiers; versions and the like, which look like numbers,
        stay.
        """
        found = _composed(text)
        return _without(found, self._spans(found))

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where this data set's own identifiers stand."""
        plain = folded(text)
        for phrase in self.phrases | self.runs:
            spaced = max(phrase) < _NO_SPACES
            at = plain.find(phrase)
            while at >= 0:
                end = at + len(phrase)
                if not spaced or (_border(text, at) and _border(text, end)):
                    yield at, end
                at = plain.find(phrase, at + 1)
        for number in self.numbers:  # however its digits are grouped
            yield from (m.span() for m in re.finditer(rf"(?<!\d){_GROUPS.join(number)}(?!\d)", text))
        yield from (m.span() for m in WORD.finditer(text) if self._own(plain[m.start() : m.end()]))

    def coded(self, text: str) -> bool:
        """Return whether a term of fixed form is not one of this data set's identifiers."""
        return text.isascii() and not any(word in self.words for word in WORD.findall(folded(text)))

    def within(self, data: bytes) -> bool:
        """Return whether binary data holds one of this data set's longer identifiers in a common encoding."""
        low = data.lower()
        least = _IN_BYTES if len(data) > 1 << 16 else _SHORTEST_ID
        found = (
            w for w in (*self.words, *self.phrases, *self.runs) if len(w) >= least or max(w) >= _NO_SPACES
        )
        return any(w.encode(code) in low for w in found for code in ("utf-8", "utf-16-le", "utf-16-be"))

    def _own(self, word: str) -> bool:
        return word in self.words or word in self.short

    def clean(self, text: str) -> str:
        """Return only words of the standard's own vocabulary, short technical terms and small numbers; the rest
        goes.
        """
        text = self.scrub(_composed(text)).replace(GONE, " ")
        parts, at = [], 0
        for word, stays in kept(text):
            parts += [text[at : word.start()], word[0] if stays and not self._own(folded(word[0])) else ""]
            at = word.end()
        plain = re.sub(r"[^\w\s.,;:()+*/%-]|(?<!\w)[.,;:()+*/%_-]+(?!\w)", " ", "".join((*parts, text[at:])))
        plain = " ".join(plain.split()).strip(" .,;:*/%_")
        return re.sub(r"(?<!\bC)(?<!\bc)[+-]+$|^[+-]+", "", plain).strip()


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the text with one mark in place of each span, and of spans that overlap; marks that stand there stay."""
    marked = (m.span() for m in re.finditer(re.escape(GONE), text))
    parts, begin, at = [], -1, 0  # of the span that grows: where it begins, and where it ends
    for start, end in sorted((*marked, *spans)):
        if begin >= 0 and start < at:
            at = max(at, end)
            continue
        parts += [GONE, text[at:start]] if begin >= 0 else [text[:start]]
        begin, at = start, end
    return "".join((*parts, GONE, text[at:])) if begin >= 0 else text


def _border(text: str, at: int) -> bool:
    """Return whether a word or a number may end here, and not only a part of one."""
    if not 0 < at < len(text):
        return True
    one, other = text[at - 1], text[at]
    if one.isalpha() and other.isalpha():
        return one.islower() and other.isupper()
    return not (one.isdigit() and other.isdigit())


def _spellings(name: str) -> Iterator[str]:
    """Yield the ways in which a name is written in ASCII, and those that it may be the ASCII of."""
    for letters in (_DIGRAPHS, {d: a for a, d in _DIGRAPHS.items()}, {"ß": "ss", "æ": "ae", "œ": "oe"}):
        other = name
        for one, two in letters.items():
            other = other.replace(one, two)
        yield other


def _composed(text: str) -> str:
    """Letters and their accents as one character each, whole widths for half ones, no marks of zero width."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
