"""Claims: which side, place, size, number and change in a sentence belong to which of its findings."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vesalius.core.finding import Change, Side
from vesalius.texts._mentions import Mention
from vesalius.texts._phrases import Mark
from vesalius.texts.cues import Cues
from vesalius.texts.terms import Terms

_CUTS = frozenset({",", "and", "or", "nor", "with", ";", ".", "/", "(", "but", "without"})
_LISTS = frozenset({"and", "or", "nor", "/"})
_JOINTS = _LISTS | {"versus", "vs"}
_SINCE = frozenset({"since", "from", "compared", "in", "when"})
_MORE = frozenset({"greater", "larger", "more", "less", "smaller", "worse", ">", "than"})
_MOST = 50  # of one finding, counted in a sentence
_UNITS = {"mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "cm": 10.0, "centimeter": 10.0, "centimetre": 10.0}
_CHANGES: dict[str, Change] = {
    "change_none": "unchanged",
    "less": "smaller",
    "more": "larger",
    "new": "new",
    "none_new": "new",
}
_SIDES: dict[str, Side] = {"left": "left", "right": "right", "both": "both"}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a sentence says of one mention beside its status."""

    side: Side | None = None
    place: str = ""
    size_mm: float | None = None
    count: int | None = None
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class _Span:
    """Words `start` to `end` that belong to a mention, and the word that they are joined on by."""

    start: int
    end: int
    join: str = ""


def claims(
    tokens: Sequence[str], marks: Sequence[Mark], mentions: Sequence[Mention], cues: Cues, terms: Terms
) -> list[Claim]:
    """Return what belongs to each mention of a sentence, in their order."""
    leads, tails = _spans(tokens, mentions, marks)
    found = []
    for k, mention in enumerate(mentions):
        term = terms.by_name[mention.name]
        own = _Span(mention.start, mention.end)
        lead = _denied(marks, leads[k], terms) if mention.status == "absent" else leads[k]
        sides = _sides(marks, tokens, [lead, own], terms) or _sides(
            marks, tokens, tails[k], terms, behind=True
        )
        parts = [own, leads[k]] if mention.rule != "shown" else []
        places = _places(marks, parts, terms)[-1:] or _places(marks, tails[k], terms)[:1]
        sizes = _sizes(tokens, [leads[k]], cues) or _sizes(tokens, tails[k], cues)
        found.append(
            Claim(
                side=_one(sides) if term.sided else None,
                place=places[0] if places else "",
                size_mm=max(sizes)
                if sizes and term.sized and mention.status not in ("absent", None)
                else None,
                count=_count(tokens, leads[k], cues),
                change=_change(tokens, marks, [leads[k], *tails[k]]),
            )
        )
    return _shared(tokens, mentions, found, marks, (leads, tails), terms)


def _denied(marks: Sequence[Mark], lead: _Span, terms: Terms) -> _Span:
    """Return of the words before a finding that is denied those from the side on that is: `left is clear, no right`."""
    within = list(_within(marks, lead))
    for one, other in pairwise(within):
        if one.kind == "denies" and other.start == one.end and side_of(other, terms) is not None:
            return _Span(one.start, lead.end, lead.join)
    return lead


def _spans(
    tokens: Sequence[str], mentions: Sequence[Mention], marks: Sequence[Mark]
) -> tuple[list[_Span], list[list[_Span]]]:
    """Return for each mention the words before it that are its own, and the parts after it that are.

    What one word says of several findings (`clear`) has one place, and what belongs to it belongs to each.
    """
    own = sorted({(m.start, m.end): m for m in mentions}.values(), key=lambda m: m.start)
    leads, tails = _spans_apart(tokens, own, {m.start: m.end for m in marks if m.kind == "break"})
    at = {(m.start, m.end): k for k, m in enumerate(own)}
    places = [at[m.start, m.end] for m in mentions]
    return [leads[k] for k in places], [tails[k] for k in places]


def _spans_apart(
    tokens: Sequence[str], mentions: Sequence[Mention], breaks: Mapping[int, int]
) -> tuple[list[_Span], list[list[_Span]]]:
    leads: list[_Span] = [_Span(0, mentions[0].start)] if mentions else []
    tails: list[list[_Span]] = []
    for k, mention in enumerate(mentions):
        if k + 1 == len(mentions):
            tails.append(_parts(tokens, mention.end, len(tokens)))
            continue
        following = mentions[k + 1]
        parts = _parts(tokens, mention.end, following.start)
        if (
            len(parts) == 1
        ):  # `no nodule other than the left nodule`: what follows such a word belongs to the latter
            cut = next((at for at in range(mention.end, following.start) if at in breaks), None)
            leads.append(_Span(following.start if cut is None else breaks[cut], following.start))
            tails.append([_Span(mention.end, following.start if cut is None else cut)])
            continue
        own = [parts[0]]
        middle = parts[1:-1]
        while middle and middle[0].join in _LISTS:
            own.append(middle.pop(0))
        tails.append(own)
        leads.append(_Span(middle[0].start if middle else parts[-1].start, following.start))
    return leads, tails


def _parts(tokens: Sequence[str], start: int, end: int) -> list[_Span]:
    parts: list[_Span] = []
    begin, join = start, ""
    for at in range(start, end):
        if tokens[at] in _CUTS:
            parts.append(_Span(begin, at, join))
            begin, join = at + 1, tokens[at]
    return [*parts, _Span(begin, end, join)]


def _within(marks: Sequence[Mark], span: _Span) -> Iterator[Mark]:
    """Yield of marks from left to right those that lie in a span."""
    for k in range(bisect_left(marks, span.start, key=lambda m: m.start), len(marks)):
        if marks[k].start >= span.end:
            return
        if marks[k].end <= span.end:
            yield marks[k]


def _sides(
    marks: Sequence[Mark],
    tokens: Sequence[str],
    spans: Sequence[_Span],
    terms: Terms,
    *,
    behind: bool = False,
) -> list[Side]:
    """Return the sides named in spans; of parts after the first, those of a list and of a comparison alone.

    Of spans `behind` a finding, a side that is denied is none of its own: `in the right but not the left lung`.
    """
    found: list[Side] = []
    for span in spans:
        if found and span.join not in ("", *_LISTS) and not (_MORE & set(tokens[span.start : span.end])):
            break
        last: Mark | None = None
        for mark in _within(marks, span):
            side = side_of(mark, terms)
            denied = behind and last is not None and last.kind == "denies" and mark.start - last.end <= 1
            if side is not None and not denied:
                found.append(side)
            last = mark
    return found


def side_of(mark: Mark, terms: Terms) -> Side | None:
    """Return the side that a word or a place names."""
    if mark.kind == "place":
        return next((side for k in mark.of if (side := terms.places[int(k)].side)), None)
    return _SIDES.get(mark.kind)


def _one(sides: Sequence[Side]) -> Side | None:
    if not sides:
        return None
    return sides[0] if len(set(sides)) == 1 else "both"


def _places(marks: Sequence[Mark], spans: Sequence[_Span], terms: Terms) -> list[str]:
    found = [
        terms.places[int(m.of[0])].name for span in spans for m in _within(marks, span) if m.kind == "place"
    ]
    exact = [name for name in found if name not in ("lung", "breast")]
    return exact or found


def _sizes(tokens: Sequence[str], spans: Sequence[_Span], cues: Cues) -> list[float]:
    """Return the lengths in millimetres that spans speak of as sizes of now."""
    if not spans:
        return []
    start, end = spans[0].start, spans[-1].end
    found: list[float] = []
    for at in range(start, end):
        if tokens[at] not in _UNITS:
            continue
        if at + 1 < len(tokens) and tokens[at + 1] in cues.words["distances"]:
            continue
        values, first = _numbers_before(tokens, at, start, cues)
        if not values or cues.words["earlier"] & set(tokens[max(start, first - 2) : first]):
            continue
        found += [value * _UNITS[tokens[at]] for value in values]
    return found


def _numbers_before(tokens: Sequence[str], at: int, start: int, cues: Cues) -> tuple[list[float], int]:
    """Return the numbers that a unit belongs to (`5 and 7 mm`; of `from 4 to 6 mm` the last), and the first's place."""
    values: list[float] = []
    k = at - 1
    while k >= start and _number(tokens[k], cues) is not None:
        values.append(_number(tokens[k], cues) or 0.0)
        if k - 1 >= start and tokens[k - 1] == "to" and "from" in tokens[max(start, k - 3) : k]:
            return values, k
        if (
            k - 2 < start
            or tokens[k - 1] not in ("x", "and", "by", "to", "or")
            or _number(tokens[k - 2], cues) is None
        ):
            return values, k
        k -= 2
    return values, k + 1


def _number(token: str, cues: Cues) -> float | None:
    if token in cues.numbers:
        return float(cues.numbers[token])
    return float(token) if token.isascii() and token.replace(".", "", 1).isdigit() else None


def _count(tokens: Sequence[str], lead: _Span, cues: Cues) -> int | None:
    """Return the number right before a finding that is no size: `two 5-mm nodules`."""
    measured = False
    for at in range(lead.end - 1, max(lead.start, lead.end - 6) - 1, -1):
        token = tokens[at]
        if token in _UNITS:
            measured = True
        elif measured and (token == "x" or _number(token, cues) is not None):
            measured = token == "x" or (at > lead.start and tokens[at - 1] == "x")
        elif not token[0].isalnum() or token in ("than", "of", "level"):
            return None
        elif token in cues.numbers:
            return cues.numbers[token]
        elif token.isascii() and token.isdigit():
            return int(token) if 0 < int(token) < _MOST else None
    return None


def _is_look(tokens: Sequence[str], mark: Mark) -> bool:
    """Return whether a lone `increased` says how something looks, and not how it changed: `increased markings`."""
    if tuple(tokens[mark.start : mark.end]) != ("increased",) or mark.end >= len(tokens):
        return False
    return tokens[mark.end][0].isalnum() and tokens[mark.end] not in _SINCE


def _change(tokens: Sequence[str], marks: Sequence[Mark], spans: Sequence[_Span]) -> Change | None:
    for span in spans:
        for mark in _within(marks, span):
            if mark.kind in _CHANGES and not _is_look(tokens, mark):
                return _CHANGES[mark.kind]
    return None


def _shared(
    tokens: Sequence[str],
    mentions: Sequence[Mention],
    found: list[Claim],
    marks: Sequence[Mark],
    spans: tuple[list[_Span], list[list[_Span]]],
    terms: Terms,
) -> list[Claim]:
    """Give findings that are listed together what is said of one side of the list: `left effusion and atelectasis`."""
    leads, tails = spans
    sides = [claim.side for claim in found]
    for k in range(1, len(mentions)):
        between = tokens[mentions[k - 1].end : mentions[k].start]
        if any(m.kind == "same" for span in (leads[k], *tails[k]) for m in _within(marks, span)):
            sides[k] = sides[k] or sides[k - 1]
        words = [w for w in between if w not in _LISTS]
        if len(words) > 1 or not between or between[0] not in _JOINTS:
            continue
        before, after = terms.by_name[mentions[k - 1].name], terms.by_name[mentions[k].name]
        if after.sided and sides[k] is None and _sides(marks, tokens, [leads[k - 1]], terms):
            sides[k] = sides[k - 1]
        elif before.sided and sides[k - 1] is None and _sides(marks, tokens, tails[k], terms, behind=True):
            sides[k - 1] = sides[k]
    return [
        Claim(side, claim.place, claim.size_mm, claim.count, claim.change)
        for side, claim in zip(sides, found, strict=True)
    ]
