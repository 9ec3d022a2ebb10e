"""Names behind titles in free text: `Dr. med. J. van der Berg`, `MRS O'BRIEN`, `Prof. Dr. Meier`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vesalius.deidentify._descriptors import folded, names, vocabulary
from vesalius.deidentify._ordinary import is_ordinary, is_spoken

_SHORT = {"dr", "mr", "mrs", "ms", "prof", "mme"}  # abbreviations, behind which a dot ends no sentence
_TITLES = _SHORT | {"doctor", "professor", "miss", "nurse", "herr", "herrn", "frau", "madame", "monsieur"}
_ALSO = {"mr": "Mr", "ms": "Ms", "miss": "Miss"}  # written otherwise: magnetic resonance, milliseconds
_TITLE = re.compile(rf"(?<![^\W_])(?:{'|'.join(sorted(_TITLES))})(?![^\W_])[.:]?", re.IGNORECASE)
_DEGREES = frozenset(re.findall(r"\w+", "med rer nat phil dent vet univ habil hc ing jur sc"))
_PARTICLES = frozenset(
    re.findall(
        r"\w+", "von van vom der den de di da del della dos du la le ten ter zu zur zum bin ibn al el st"
    )
)
_PART = re.compile(r"[^\W\d_]+(?:['’`´-][^\W\d_]+)*")
_GAP = re.compile(r"[ \t\xa0]*\n?[ \t\xa0]*")
_LIST = re.compile(r"[\s,^-]{1,4}")
_UNIT = re.compile(r"\d\s?$")
_NO_NAME = re.compile(r"(?:graphy|graphic|grams?|scopy|scopic|metry|ology|ologic|tomy|plasty|itis|oma|osis)$")
_VERB = re.compile(r"(?:ed|ing|ly)$")
_MOST_NAMES = 4
_MOST_LEADING = 12
_ABBREVIATED = 4  # letters of a given name that a dot shortens


def titled(text: str) -> Iterator[tuple[int, int]]:
    """Yield where titles and the names behind them stand; a title without a name is left out.

    A name is one to four words, which end before a word that reports use of other things.
    """
    at = 0
    while (title := _TITLE.search(text, at)) is not None:
        end, at = _end(text, title)
        if end is not None:
            yield title.start(), end


def _end(text: str, title: re.Match[str]) -> tuple[int | None, int]:
    """Return where the name behind a title ends, None where there is none; and from where to look for more titles."""
    doubtful, at, dotted, end = _doubtful(text, title), title.end(), title[0].endswith((".", ":")), None
    said = title[0].lower() in _TITLES - _SHORT - set(_ALSO)
    for _ in range(_MOST_LEADING):
        gap = at
        start = _skipped(text, at)
        if text.startswith("-", start) and dotted:  # Dr.-Ing.
            start += 1
        word = _PART.match(text, start)
        if word is None or (start == at and not dotted):
            break
        low = folded(word[0])
        at = word.end()
        dotted = text.startswith((".", ":") if low in _TITLES else ".", at)
        if low in _TITLES or low in _DEGREES or (low in _PARTICLES and not dotted and _followed(text, at)):
            doubtful = doubtful and low not in ("dr", "prof")
            at += dotted
            if low in _PARTICLES and word[0][0].isupper():
                end = at
        elif len(word[0]) == 1 and (dotted or (word[0].isupper() and _followed(text, at))):
            if doubtful and not word[0].isupper():
                break
            at += dotted
            end = at if word[0].isupper() or low not in "ch" else end
        else:
            other = end is not None and is_spoken(low)  # a sentence behind an initial
            line = "\n" in text[gap:start] and (is_ordinary(low) or text.startswith(":", at))
            if not other and not line and _begins(word[0], doubtful, said=said):
                end = _names(text, word)
            break
    else:  # more titles than anybody has
        return end, at
    return end, end or title.end()


def _doubtful(text: str, title: re.Match[str]) -> bool:
    """Return whether what is written as a title may be something else: a unit, a verb, the end of a sentence."""
    word = title[0].rstrip(".:")
    low = word.lower()
    if low in _ALSO:
        return word != _ALSO[low] or (
            low == "ms" and _UNIT.search(text, max(0, title.start() - 2), title.start()) is not None
        )
    return low not in _SHORT and (word.islower() or title[0].endswith("."))


def _begins(word: str, doubtful: bool, *, said: bool) -> bool:
    """Return whether a word behind a title is a name; in doubt, no word that a report may use otherwise is one.

    `said` is whether the title is a word for people alone, so that a name behind it may begin with a small letter.
    """
    low = folded(word)
    if doubtful:
        verb = word.islower() and _VERB.search(low) is not None
        if not said and (not word[0].isupper() or low in vocabulary()):  # MR LONG AXIS
            return False
        return not (verb or is_ordinary(low) or _NO_NAME.search(low))
    return low in names() or not (is_spoken(low) and (word.islower() or word.isupper()))


def _usual(low: str) -> bool:
    """Return whether a word, folded, is one of reports, and no frequent name."""
    return is_ordinary(low) and low not in names()


def _names(text: str, first: re.Match[str]) -> int:
    """Return where the names end of which one is the first."""
    end, word = first.end(), first
    for _ in range(_MOST_NAMES - 1):
        at = end
        if text.startswith(".", at):
            if len(word[0]) > _ABBREVIATED:
                return end
            at += 1
        following = _next_name(text, at)
        if following is None:
            return end
        word, end = following, following.end()
    return end


def _next_name(text: str, at: int) -> re.Match[str] | None:
    """Return a further name behind some initials and particles."""
    for _ in range(3):
        gap = _LIST.match(text, at)
        if gap is None or gap[0].count("\n") > 1:
            return None
        word = _PART.match(text, gap.end())
        if word is None:
            return None
        at = word.end()
        if len(word[0]) == 1 and word[0].isupper() and text.startswith(".", at):
            at += 1
            following = _LIST.match(text, at)
            if following is None or _PART.match(text, following.end()) is None:
                return word
        elif folded(word[0]) not in _PARTICLES or word[0].isupper():
            further = word[0][0].isupper() and len(word[0]) > 1 and not text.startswith(":", at)
            return word if further and not _usual(folded(word[0])) else None
    return None


def _skipped(text: str, at: int) -> int:
    """Return where blanks end, and one line's end among them."""
    blanks = _GAP.match(text, at)
    return blanks.end() if blanks else at


def _followed(text: str, at: int) -> bool:
    """Return whether a word that begins like a name, or a particle of one, follows."""
    word = _PART.match(text, _skipped(text, at))
    return word is not None and (word[0][0].isupper() or folded(word[0]) in _PARTICLES)
