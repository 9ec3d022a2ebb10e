"""One side denied: `effusion: left moderate, right none`, `large left and no right effusion` say two things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vesalius.core.finding import Side
from vesalius.texts._claims import Claim, side_of
from vesalius.texts._mentions import Mention
from vesalius.texts._phrases import Mark
from vesalius.texts.cues import Cues
from vesalius.texts.terms import Terms

_NONE = frozenset({"none", "absent"})
_AT = frozenset({"on", "in", "at"})
_JOINTS = frozenset({",", "and", "but", "(", ")"})
_COPULAS = frozenset({"is", "are", "was", "were", "has", "have"})
_ENDS = frozenset(";.!")
_NEAR = 4  # words between a side and the finding behind it, at most


@dataclass(frozen=True, slots=True)
class Denial:
    """That a finding is absent on one side: words `start` to `end`, which say nothing else."""

    start: int
    end: int
    side: Side
    of: Mention


def denials(
    tokens: Sequence[str], marks: Sequence[Mark], mentions: Sequence[Mention], cues: Cues, terms: Terms
) -> list[Denial]:
    """Return what denies a finding of a sentence on one side alone, from left to right."""
    sided = [(mark, side) for mark in marks if (side := side_of(mark, terms)) is not None]
    found: list[Denial] = []
    for k, (mark, side) in enumerate(sided):
        span = _none_after(tokens, mark) or _none_before(tokens, mark, cues) or _no(tokens, mark, mentions)
        of = None if span is None else _before(tokens, mentions, span[0])
        if of is None and _is_one_of_two(tokens, sided, k, mentions, cues):
            span = mark.start - 1, mark.end
            of = next((m for m in mentions if m.start >= mark.end), None)
        if span is not None and of is not None and not (found and found[-1].end > span[0]):
            found.append(Denial(*span, side, of))
    return found


def without(marks: Sequence[Mark], denied: Sequence[Denial]) -> list[Mark]:
    """Return marks without those that belong to denials."""
    return [m for m in marks if not any(m.start < d.end and d.start < m.end for d in denied)]


def with_denials(
    tokens: Sequence[str], told: Sequence[tuple[Mention, Claim]], denied: Sequence[Denial], cues: Cues
) -> list[tuple[Mention, Claim]]:
    """Return what is said of the findings of a sentence, and each denial of one side as a finding that is absent.

    A finding of which nothing else is said is not also there, and neither is one said to be there on that side.
    """
    found: list[tuple[Mention, Claim]] = []
    for mention, claim in told:
        own = [d for d in denied if d.of is mention]
        sides = {d.side for d in own}
        told_of = tokens[mention.end : own[0].start] if own else ()
        seen = any(w in cues.words["verbs"] and w not in _COPULAS for w in told_of)
        bare = claim.side is None and not (seen and _JOINTS & set(told_of))
        if own and claim.side == "both":  # on both, and not on one of them: nobody can tell
            claim = replace(claim, side=None)
        if not own or not (bare or claim.side in sides):
            found.append((mention, claim))
        if own:
            side: Side = "both" if len(sides) > 1 else own[0].side
            found.append((replace(mention, status="absent", rule="none", change=None), Claim(side=side)))
    return found


def _none_after(tokens: Sequence[str], mark: Mark) -> tuple[int, int] | None:
    """Return the words of `right: none`, and of `right no` at the end."""
    at = mark.end + (mark.end < len(tokens) and tokens[mark.end] in (":", "is"))
    last = at + 1 >= len(tokens) or not tokens[at + 1][0].isalnum()
    if at >= len(tokens) or not (tokens[at] in _NONE or (tokens[at] == "no" and last)):
        return None
    return None if at + 1 < len(tokens) and tokens[at + 1] in _AT else (mark.start, at + 1)


def _none_before(tokens: Sequence[str], mark: Mark, cues: Cues) -> tuple[int, int] | None:
    """Return the words of `none is seen on the right`, of `not on the right`, and of `none right`."""
    at = mark.start - 1
    if at > 0 and tokens[at] in ("none", "not"):
        return at, mark.end
    at -= at >= 0 and tokens[at] == "the"
    if at < 1 or tokens[at] not in _AT:
        return None
    at -= 1
    while at > 0 and tokens[at] in cues.words["verbs"]:
        at -= 1
    return (at, mark.end) if tokens[at] in _NONE or tokens[at] == "not" else None


def _no(tokens: Sequence[str], mark: Mark, mentions: Sequence[Mention]) -> tuple[int, int] | None:
    """Return the words of `no right` where no finding follows: `effusion: no right, small left`."""
    if mark.start < 1 or tokens[mark.start - 1] != "no" or any(m.start >= mark.end for m in mentions):
        return None
    at = mark.end
    return (mark.start - 1, at) if at >= len(tokens) or not tokens[at][0].isalnum() else None


def _before(tokens: Sequence[str], mentions: Sequence[Mention], at: int) -> Mention | None:
    before = [m for m in mentions if m.end <= at and not (_ENDS & set(tokens[m.end : at]))]
    return before[-1] if before else None


def _is_one_of_two(
    tokens: Sequence[str],
    sided: Sequence[tuple[Mark, Side]],
    k: int,
    mentions: Sequence[Mention],
    cues: Cues,
) -> bool:
    """Return whether a side is denied beside one that is not: `large left and no right`, `no left but large right`."""
    mark, side = sided[k]
    if mark.start < 1 or tokens[mark.start - 1] != "no":
        return False
    following = next((m.start for m in mentions if m.start >= mark.end), None)
    if following is None:
        return False
    if k and sided[k - 1][1] != side and _joined(tokens, sided[k - 1][0].end, mark.start - 1, ()):
        first = sided[k - 1][0].start
        earlier = max((m.end for m in mentions if m.end <= first), default=0)
        alone = not earlier or any(w in _JOINTS or w in _ENDS for w in tokens[earlier:first])
        denied = any(w in ("no", "or", "nor", "without", "not") for w in tokens[earlier:first])
        return alone and not denied and _near(tokens, mark.end, following)
    if k + 1 < len(sided) and sided[k + 1][1] != side and sided[k + 1][0].start < following:
        other = sided[k + 1][0]
        begin = cues.words["weak"] | cues.words["present"]
        own = [w for w in tokens[mark.end : other.start] if w in begin]
        return (
            (bool(own) or "but" in tokens[mark.end : other.start])
            and _joined(tokens, mark.end, other.start, begin)
            and _near(tokens, other.end, following)
        )
    return False


def _joined(tokens: Sequence[str], start: int, end: int, words: Sequence[str] | frozenset[str]) -> bool:
    between = tokens[start:end]
    return bool(between) and between[0] in _JOINTS and all(w in _JOINTS or w in words for w in between)


def _near(tokens: Sequence[str], start: int, end: int) -> bool:
    between = [w for w in tokens[start:end] if w != ")"]
    return len(between) <= _NEAR and all(w[0].isalnum() and w not in ("and", "or", "no") for w in between)
