"""Reading: what a report says, as findings, with the sentence and the rule that each of them stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache

from vesalius.core.finding import Finding
from vesalius.core.sentences import all_sentences
from vesalius.texts._claims import Claim, claims, side_of
from vesalius.texts._mentions import Mention
from vesalius.texts._one_sided import denials, with_denials, without
from vesalius.texts._phrases import Mark, Phrases, words
from vesalius.texts.context import judged
from vesalius.texts.cues import Cues, english
from vesalius.texts.terms import Terms

RULES = 3  # goes up with each change of what the rules answer
UNREAD = frozenset(
    {"indication", "clinical indication", "reason for exam", "reason for examination"}
    | {"history", "clinical history", "clinical information"}
    | {"comparison", "technique", "exam", "examination", "procedure", "study"}
)
MOST = 2000  # letters of a sentence that are read: what belongs together is sought in all of it
_TAKEN = "·"  # in place of the words of a finding, which are no part of another phrase
_NEAR = 3  # words between what is said of a thing and the thing behind it, at most
_STRENGTH = {"present": 3, "uncertain": 2, "absent": 1, "past": 0}


@dataclass(frozen=True, slots=True)
class Reading:
    """One finding that was read: where it stands, in which words, and by which rule its status was told.

    `rule` is the word that denies, doubts or remembers it, "named" where there is none, and "or" of one of two.
    """

    finding: Finding
    section: str
    sentence: str
    rule: str


def findings_in(text: str | Mapping[str, str], terms: Terms) -> tuple[Finding, ...]:
    """Return what a text says of the findings among `terms`, in the order of its sentences.

    `text` is a report, or its sections by name; those that say what was asked or how it was imaged (indication,
    history, comparison, technique) are not read, as nothing in them was found. `Finding.sentence` counts all
    sentences, theirs too. Of a sentence the first MOST letters are read (`unread_in` says whether that is all).
    """
    return tuple(reading.finding for reading in readings(text, terms))


def readings(text: str | Mapping[str, str], terms: Terms) -> tuple[Reading, ...]:
    """Return what a text says of the findings among `terms`, each with its sentence and the rule that told it."""
    lexicon = _lexicon(terms)
    sections = {"": text} if isinstance(text, str) else text
    found: list[Reading] = []
    for place, (section, _, sentence) in enumerate(all_sentences(sections)):
        if section.strip().lower() in UNREAD:
            continue
        for finding, rule in _read(sentence[:MOST], lexicon):
            found.append(Reading(replace(finding, sentence=place), section, sentence, rule))
    return tuple(found)


def unread_in(text: str | Mapping[str, str]) -> bool:
    """Return whether a text has a sentence that is too long to be read to its end, where findings are read at all."""
    sections = {"": text} if isinstance(text, str) else text
    return any(
        len(sentence) > MOST and section.strip().lower() not in UNREAD
        for section, _, sentence in all_sentences(sections)
    )


def said_of(findings: Sequence[Finding], name: str) -> Finding | None:
    """Return what a report as a whole says of one name: of several findings the one that says most; None of none.

    Present says more than uncertain, that more than absent, and that more than past: a report that sees no nodule on
    the right and one on the left has a nodule.
    """
    own = [f for f in findings if f.name == name]
    return max(own, key=lambda f: (_STRENGTH[f.status], f.size_mm or 0.0), default=None)


@dataclass(frozen=True, slots=True, eq=False)
class _Lexicon:
    terms: Terms
    named: Phrases
    cued: Phrases
    cues: Cues


@lru_cache(maxsize=16)
def _lexicon(terms: Terms) -> _Lexicon:
    cues = english()
    walls = {word for one in terms.phrases if one.kind == "term" for word in one.parts[0] or ()}
    return _Lexicon(terms, Phrases(terms.phrases), Phrases(cues.phrases, walls), cues)


@lru_cache(maxsize=1024)
def _read(sentence: str, lexicon: _Lexicon) -> tuple[tuple[Finding, str], ...]:
    """Return what one sentence says, each finding with its rule; of two that say the same, the one that says more."""
    tokens = words(sentence)
    named = lexicon.named.find(tokens)
    if not any(mark.kind in ("term", "predicate") for mark in named):
        return ()
    cued = lexicon.cued.find(tokens)
    named = _without(named, cued)
    mentions = _mentions(tokens, named, lexicon.terms)
    if not mentions:
        return ()
    taken = {k for m in mentions for k in range(m.start, m.end)}
    if any(k in taken for c in cued for k in range(c.start, c.end)):
        cued = lexicon.cued.find([_TAKEN if k in taken else token for k, token in enumerate(tokens)])
    marks = sorted([*(m for m in named if m.kind == "place"), *cued], key=lambda m: m.start)
    marks = _of_now(tokens, marks, lexicon)
    denied = denials(tokens, marks, mentions, lexicon.cues, lexicon.terms)
    marks = without(marks, denied)
    judged(tokens, marks, mentions, lexicon.cues)
    told = claims(tokens, marks, mentions, lexicon.cues, lexicon.terms)
    said = [(m, c) for m, c in zip(mentions, told, strict=True) if m.status is not None]
    return _merged(with_denials(tokens, said, denied, lexicon.cues), lexicon.terms)


def _of_now(tokens: Sequence[str], marks: Sequence[Mark], lexicon: _Lexicon) -> list[Mark]:
    """Return marks without the side where something was before: `previously on the left, is now on the right`."""
    sided = [m for m in marks if side_of(m, lexicon.terms) is not None]

    def after(words: Set[str], mark: Mark) -> bool:
        return bool(words & set(tokens[max(0, mark.start - _NEAR) : mark.start]))

    last = max((m.start for m in sided if after({"now"}, m)), default=-1)
    past = {m.start for m in sided if m.start < last and after(lexicon.cues.words["earlier"] - {"from"}, m)}
    return [m for m in marks if m.start not in past]


def _without(marks: Sequence[Mark], others: Sequence[Mark]) -> tuple[Mark, ...]:
    """Return marks without those that a longer one of others lies over; of equal ones both stay."""
    longest = {}  # of the other that lies on each word: none lies over another
    for o in others:
        longest.update(dict.fromkeys(range(o.start, o.end), o.end - o.start))
    return tuple(m for m in marks if all(longest.get(k, 0) <= m.end - m.start for k in range(m.start, m.end)))


def _mentions(tokens: Sequence[str], named: Sequence[Mark], terms: Terms) -> list[Mention]:
    found: list[Mention] = []
    for mark in named:
        if mark.kind == "term" and found and found[-1].name == mark.of[0] and found[-1].end == mark.start:
            found[-1].end = mark.end  # `central venous line catheter` is one
        elif mark.kind == "term":
            found.append(Mention(mark.start, mark.end, mark.of[0]))
    broken = [k for k, token in enumerate(tokens) if token in ";."]
    for k, mark in enumerate(named):
        if mark.kind != "predicate":
            continue
        subject = _subject(named, k, broken)
        for of in mark.of if subject is not None else ():
            shown = terms.shown[int(of)]
            if subject is not None and of in subject.of:
                found += [
                    Mention(mark.start, mark.end, name, shown.status, shown.status, "shown")
                    for name in shown.names
                ]
    return sorted([*found, *_again(tokens, found)], key=lambda m: (m.start, m.end))


def _again(tokens: Sequence[str], mentions: Sequence[Mention]) -> list[Mention]:
    """Return what `a small one` stands for: the finding that was named last."""
    found = []
    for k, token in enumerate(tokens):
        if token != "one" or not {"a", "an"} & set(tokens[max(0, k - 3) : k]):
            continue
        if before := [m for m in mentions if m.end <= k]:
            found.append(Mention(k, k + 1, max(before, key=lambda m: m.end).name))
    return found


def _subject(named: Sequence[Mark], at: int, broken: Sequence[int]) -> Mark | None:
    """Return what a word says something of: the last thing before it that it can be said of, or one right behind it."""
    of = set(named[at].of)
    for before in reversed(named[:at]):
        if before.kind == "subject" and of & set(before.of):
            if any(before.end <= b < named[at].start for b in broken):
                break
            return before
        if before.kind == "predicate" and not of & set(before.of):
            continue
    for after in named[at + 1 :]:  # `a tortuous and calcified aorta`
        if after.kind == "subject" and of & set(after.of) and after.start - named[at].end <= _NEAR:
            return after
        if (
            after.kind not in ("predicate", "term", "place", "subject")
            or after.start - named[at].end >= _NEAR
        ):
            break
    return None


def _merged(found: Sequence[tuple[Mention, Claim]], terms: Terms) -> tuple[tuple[Finding, str], ...]:
    kept: dict[tuple[object, ...], tuple[Finding, str]] = {}
    for mention, claim in found:
        finding = _finding(mention, claim, terms)
        key = (finding.name, finding.status, finding.side, finding.size_mm)
        if key not in kept:
            kept[key] = (finding, mention.rule)
    return tuple(kept.values())


def _finding(mention: Mention, claim: Claim, terms: Terms) -> Finding:
    codes = terms.by_name[mention.name].codes
    return Finding(
        name=mention.name,
        status=mention.status or "present",
        side=claim.side,
        place=claim.place,
        size_mm=claim.size_mm,
        count=claim.count,
        change=mention.change or (claim.change if mention.status != "absent" else None),
        code=codes[0] if codes else "",
    )
