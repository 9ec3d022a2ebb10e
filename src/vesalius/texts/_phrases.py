"""Phrases: a sentence as plain words, and which of many known phrases stand in it, the longest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_JOINED = re.compile(r"(?<=\w)[-–](?=\w)")
_DASH = re.compile(r"\s[-–—]+\s|—")
_UNIT = re.compile(r"(?<=\d)\s{0,3}(mm|cm)\b")
_TIMES = re.compile(r"(?<=\d)\s{0,3}[x×]\s{0,3}(?=\d)")
_TOKEN = re.compile(r"(?:\d+(?:\.\d+)?|\.\d+)(?![^\W_])|[^\W_]+|[,;:?!()/.]")
_MEASURED = r"\s{0,3}(?:mm|cm|millimet|centimet)"
_COMMA = re.compile(  # `1,5 x 0,8 cm`: a comma between the digits of a length
    r"(?<![\w.,/])(\d{1,4}),(\d{1,4})(?![\d.,/])"
    rf"(?=(?:\s{{0,3}}(?:x|×|by|and|or|to)\s{{0,3}}[\d.,]{{1,9}}){{0,3}}{_MEASURED})"
)
_FRACTION = re.compile(rf"(?<![\w.,/])(?:(\d{{1,2}})\s{{1,3}})?(\d{{1,3}})/(\d{{1,3}})(?={_MEASURED})")
_FRACTIONS = frozenset({(1, 2), (1, 3), (2, 3), (1, 4), (3, 4), (1, 8), (3, 8), (5, 8), (7, 8)})
_UNCLEAR = "unclearlength"  # in place of digits that may be one length or another
_SHORT = {
    "w/o": "without",
    "s/p": "status post",
    "r/o": "rule out",
    "b/l": "bilateral",
    "h/o": "history of",
    "c/w": "consistent with",
}
_NOT = re.compile(r"\b(ca|could|is|are|was|were|do|does|did|has|have|wo|would)n['’]t\b")
GAP = "~"
_OVER = 2  # words that a gap goes over at most
_WALLS = frozenset(
    {"and", "or", "but", "nor", "with", "without", "no", "not"}
)  # a gap goes over none of these


def stem(word: str) -> str:
    """Return a word without the ending of its plural: `effusions` → `effusion`, `opacities` → `opacity`."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


_MINUS = re.compile(
    r"\(\s{0,2}[-\u2212\u2013]\s{0,2}\)|(?<!\w)[-\u2212\u2013]ve\b"
)  # `pneumothorax (-)`, `-ve for`
_ASKED = re.compile(r"(?:^|(?<=[\s,(/]))\?\s{0,2}(?=\w)")  # `?nodule` doubts what follows
_PSEUDO = re.compile(r"\bpseudo[-\u2013 ](?=\w)")  # a pseudo-nodule is none


def words(sentence: str) -> tuple[str, ...]:
    """Return a sentence's words, lower case and without plurals, its numbers and its marks, each one a word."""
    text = sentence.lower()
    for short, long in _SHORT.items():
        text = text.replace(short, long)
    text = _NOT.sub(lambda m: "cannot" if m[1] == "ca" else f"{m[1]} not", text).replace("can not", "cannot")
    text = _ASKED.sub("query ", _PSEUDO.sub("pseudo", _MINUS.sub(" negative ", text)))
    text = _JOINED.sub(" ", _DASH.sub(" , ", text))
    text = _FRACTION.sub(_fraction, _COMMA.sub(_decimal, text))
    text = _TIMES.sub(" x ", _UNIT.sub(r" \1 ", text))
    return tuple(stem(token) for token in _TOKEN.findall(text))


def _decimal(match: re.Match[str]) -> str:
    """Return a length with its comma as a point; `1,200 mm` may be one or the other."""
    whole, rest = match[1], match[2]
    return f"{whole}.{rest}" if len(rest) < 3 or whole == "0" else _UNCLEAR


def _fraction(match: re.Match[str]) -> str:
    """Return `1/2` and `1 1/2` as decimals; `5/7 mm` may be two lengths."""
    over, under = int(match[2]), int(match[3])
    if (over, under) not in _FRACTIONS:
        return _UNCLEAR
    return f"{int(match[1] or 0) + over / under:.3f}"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase: what may stand at each of its places (None is a gap), and what it means, of which thing."""

    parts: tuple[frozenset[str] | None, ...]
    kind: str
    of: str = ""

    @property
    def weight(self) -> int:
        """Return how many words it pins down, the first thing by which one phrase is preferred to another."""
        return sum(p is not None for p in self.parts)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a phrase stands in a sentence: words `start` to `end`, the latter excluded; and all that it means."""

    start: int
    end: int
    kind: str
    of: tuple[str, ...]


def phrase(text: str, kind: str, of: str = "") -> Phrase:
    """Return a phrase from its words: `a|b` is either word, `~` up to two words of any kind."""
    parts = tuple(
        None if part == GAP else frozenset(stem(w) for w in part.split("|"))
        for part in text.lower().replace("-", " ").split()
    )
    return Phrase(parts, kind, of)


class Phrases:
    """Many phrases, found in a sentence together."""

    def __init__(self, phrases: Iterable[Phrase], walls: Iterable[str] = ()) -> None:
        """`walls` are further words that no gap goes over."""
        self._first: dict[str, list[Phrase]] = {}
        for one in phrases:
            for word in one.parts[0] or ():
                self._first.setdefault(word, []).append(one)
        for found in self._first.values():
            found.sort(key=lambda p: -p.weight)
        self._walls = _WALLS | frozenset(walls)

    def find(self, tokens: Sequence[str]) -> tuple[Mark, ...]:
        """Return where phrases stand, from left to right, none over another; at each place what pins down most."""
        marks: list[Mark] = []
        at = 0
        while at < len(tokens):
            fits: list[tuple[int, Phrase]] = []
            for one in self._first.get(tokens[at], ()):
                if fits and one.weight < fits[0][1].weight:
                    break
                end = self._end(one, tokens, at)
                if end is not None:
                    fits.append((end, one))
            if not fits:
                at += 1
                continue
            end = max(e for e, _ in fits)
            kinds: dict[str, list[str]] = {}
            for e, one in fits:
                if e == end:
                    kinds.setdefault(one.kind, []).append(one.of)
            marks += [Mark(at, end, kind, tuple(dict.fromkeys(of))) for kind, of in kinds.items()]
            at = end
        return tuple(marks)

    def _end(self, one: Phrase, tokens: Sequence[str], at: int) -> int | None:
        """Return where a phrase ends that begins at a place; None where it does not stand there."""
        place = at
        over = 0
        for part in one.parts:
            if part is None:
                over = _OVER
                continue
            while (
                over and place < len(tokens) and tokens[place] not in part and self._passable(tokens[place])
            ):
                place, over = place + 1, over - 1
            if place >= len(tokens) or tokens[place] not in part:
                return None
            place, over = place + 1, 0
        return place

    def _passable(self, token: str) -> bool:
        return token[0].isalnum() and token not in self._walls
