"""Sections: a report parted at its headings, and put together again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vesalius.core.errors import DataError
from vesalius.core.words import listed
from vesalius.texts._headings import ENGLISH, Headings, folded, key_of

__all__ = ["ENGLISH", "Headings", "joined", "parted", "sections_at", "unknown_headings"]

LEAD = ""  # the section of what stands before the first heading
_LINE_START = re.compile(r"[ \t]*(?:[-*•#>_]+[ \t]*)?(?:(?:\d{1,2}|[IVX]{1,4}|[A-Z])[.)][ \t]+)?[*_]{0,2}")
_AFTER = re.compile(
    r"(?P<aside>[ \t]*\([^()\n]{1,60}\))?[ \t]*[*_]{0,2}[ \t]*(?P<sign>[:：]|[-–—](?=\s|$))?[*_]{0,2}"
)
_ENDED = re.compile(r"(?:[.!?;:][\"')\]]?\s+|\s{2,}|\n\s*)$")
_NOT_OWN = re.compile(
    r"(?:\b(?:prior|previous|old|outside|earlier|last|and|or|of|the|no|with)[ \t]+|[/&][ \t]*)$", re.I
)
_SENTENCE_CASE = re.compile(r"[ \t]+(?:\d|[A-Z][a-z]|A [a-z])")
_UNKNOWN = re.compile(
    r"^[ \t]*(?P<name>[A-Z][A-Z0-9 /&,()-]{2,50}?|[A-Z][a-z]+(?: [A-Za-z]+){0,3}):(?=\s|$)", re.M
)


@dataclass(frozen=True, slots=True)
class Part:
    """A section's place in a text: its name, where its heading begins, and where its words begin and end."""

    name: str
    heading: int
    begin: int
    end: int


def parted(text: str, headings: Headings | str | Path = ENGLISH) -> Mapping[str, str]:
    """Return a report's sections by name, in order; what stands before the first heading is under "".

    `headings` are those of a language, by name, or a user's (`Headings.read`, or a path of such a file). Two sections
    of one name are one, a line each. A heading that is not known stays in the text of the section in which it stands
    (`unknown_headings` lists them), and one with nothing below it has an empty text: nothing is dropped.
    Raises UnknownName, and what `Headings.read` raises.
    """
    found: dict[str, str] = {}
    for part in sections_at(text, headings):
        words = text[part.begin : part.end].strip()
        if part.name == LEAD and not words:
            continue
        before = found.get(part.name, "")
        found[part.name] = "\n".join(p for p in (before, words) if p)
    return found


def sections_at(text: str, headings: Headings | str | Path = ENGLISH) -> tuple[Part, ...]:
    """Return where the sections of a text lie, in order, from what stands before the first heading on."""
    chosen = opened(headings)
    starts = [(LEAD, 0, 0), *_headings_in(text, chosen)]
    ends = [heading for _, heading, _ in starts[1:]] + [len(text)]
    return tuple(Part(name, at, begin, end) for (name, at, begin), end in zip(starts, ends, strict=True))


def joined(sections: Mapping[str, str]) -> str:
    """Return sections as one text that `parted` parts again: `FINDINGS: …`, each from a line of its own on.

    Raises DataError for a section whose name no English heading has.
    """
    known = opened(ENGLISH).spellings
    if strange := [n for n in sections if n != LEAD and known.get(key_of(n)) != n]:
        raise DataError(
            "no heading has the name of a section",
            found=listed(map(repr, strange)),
            hint=f"one of {listed(opened(ENGLISH).names, 20)}",
        )
    lead = [sections[LEAD].strip()] if sections.get(LEAD, "").strip() else []
    rest = [f"{name.upper()}: {text.strip()}".strip() for name, text in sections.items() if name != LEAD]
    return "\n".join(lead + rest)


def unknown_headings(text: str, headings: Headings | str | Path = ENGLISH) -> tuple[str, ...]:
    """Return what looks like a heading at the beginning of a line and is none of these: capitals or a few words, and a
    colon.
    """
    known = opened(headings).spellings
    names = (" ".join(m["name"].split()) for m in _UNKNOWN.finditer(text))
    return tuple(dict.fromkeys(name for name in names if key_of(name) not in known))


def opened(headings: Headings | str | Path) -> Headings:
    """Return headings that are given as such, by the name of a language or by the path of a file."""
    if isinstance(headings, Headings):
        return headings
    if isinstance(headings, Path) or headings.lower().endswith((".yaml", ".yml")):
        return Headings.read(headings)
    return Headings.named(headings)


def _headings_in(text: str, headings: Headings) -> Iterator[tuple[str, int, int]]:
    """Yield each heading: its section, where it begins with what marks it, and where the section's words begin."""
    known = headings.spellings
    plain = folded(text)
    for match in headings.pattern.finditer(plain):
        after = _AFTER.match(text, match.end())
        line = text.rfind("\n", 0, match.start()) + 1
        at_start = _LINE_START.fullmatch(text, line, match.start()) is not None
        if after is None or not _is_heading(text, match, after, line if at_start else None):
            continue
        # `FINDINGS (two views): …` keeps what is in brackets
        begin = after.end() if after["aside"] is None else after.start("aside")
        yield known[key_of(match.group())], line if at_start else match.start(), begin


def _is_heading(text: str, match: re.Match[str], after: re.Match[str], line: int | None) -> bool:
    """Return whether a spelling is a heading where it stands; `line` is where its line begins, if it does so there."""
    spelled = text[match.start() : match.end()]
    capitals = spelled.upper() == spelled
    sign = after["sign"]
    colon = sign is not None and sign in ":："
    if _NOT_OWN.search(text[max(0, match.start() - 12) : match.start()]):
        return False
    if line is not None:
        if colon or (sign is not None and spelled[:1].isupper()):
            return True
        rest = text[match.end() : _line_end(text, match.end())].strip(" \t*_")
        if not rest:
            before = text[:line].rstrip(" \t")
            wrapped = before.rstrip().endswith(tuple(".!?:")) or not before or before.endswith("\n\n")
            return spelled[:1].isupper() and (capitals or wrapped)
        return capitals and _SENTENCE_CASE.match(text, match.end()) is not None
    if not colon or not spelled[:1].isupper():
        return False
    return capitals or _ENDED.search(text[: match.start()]) is not None


def _line_end(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end
