"""Replies: a question answered from statements, with what each reply stands on, or why it cannot be told."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vesalius.core.finding import Side
from vesalius.core.stated import Statement, distinct
from vesalius.core.words import listed
from vesalius.questions._sure import certain, doubt_of, held, same_name, unsure, why_of
from vesalius.questions.asked import Kind, Question

SURE = 0.75  # the least calibrated probability with which a reply says yes or no
CANNOT = "cannot tell"
SIDES: tuple[Side, Side] = ("left", "right")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is replied to a question about one finding.

    `says` is "yes", "no", "cannot tell", or the number, side or place that was asked for. `because` is what it stands
    on, or why it cannot be told. `parts` are the parts of the answer that say it.
    """

    question: str
    kind: Kind
    finding: str
    says: str
    because: str
    parts: tuple[str, ...] = ()

    @property
    def told(self) -> bool:
        """Whether something is told."""
        return self.says != CANNOT

    def json(self) -> dict[str, Any]:
        """Return the reply as JSON takes it."""
        return {
            "question": self.question,
            "kind": self.kind,
            "finding": self.finding,
            "says": self.says,
            "told": self.told,
            "because": self.because,
            "parts": list(self.parts),
        }


def replies(
    question: Question, statements: Sequence[Statement], *, sure: float = SURE, against: str = ""
) -> tuple[Reply, ...]:
    """Return a reply for each finding that a question asks about; one that says why where nothing can be told.

    `against` is why nothing of this answer may be told: it is withheld, or its image is unlike those learned from.
    """
    if against:
        return (_cannot(question, "", against),)
    if question.kind == "unclear":
        names = list(dict.fromkeys(s.finding.name for s in statements))
        known = f"it can speak of {listed(names, 8)}" if names else "it states nothing"
        rest = (*question.unread, *question.strange)
        said = f", of which {listed(rest, 4)} is not known" if rest else ""
        return (_cannot(question, "", f"the question was not understood{said}; {known}"),)
    unknown = [_cannot(question, name, f"the model does not look for {name}") for name in question.strange]
    weighed = held(statements, sure)
    if question.kind == "all" and not question.names and not unknown:
        return (_everything(question, weighed, sure),)
    found = [_one(question, name, weighed, sure) for name in question.names]
    return (*found, *unknown)


def _one(question: Question, name: str, statements: Sequence[Statement], sure: float) -> Reply:
    own = [s for s in statements if same_name(s.finding.name, name)]
    telling = _KINDS.get(question.kind, _there)
    found = telling(question, name, own, sure)
    if name not in question.denied:
        return found
    other = {"yes": "no", "no": "yes"}.get(found.says, CANNOT)
    return replace(found, says=other, because=f"asked is whether no {name} is there; {found.because}")


def _there(question: Question, name: str, own: Sequence[Statement], sure: float) -> Reply:
    """Whether a finding is there: on a side, at a place, of a size, where the question says so."""
    if question.side == "both":
        return _on_both(question, name, own, sure)
    here = _on_side(own, question.side)
    doubt = doubt_of(here, sure)
    if doubt:
        return _cannot(question, name, doubt, here)
    called = [s for s in certain(here, sure) if s.finding.status == "present"]
    if not called:
        return _not_there(question, name, own, sure)
    unsided = [s for s in called if question.side and s.finding.side is None]
    if unsided and len(unsided) == len(called):
        return _cannot(question, name, f"{name} is there, and on which side is not known", called)
    if question.place:
        placed = [s for s in called if s.finding.place == question.place]
        if not placed and any(not s.finding.place for s in called):
            return _cannot(
                question, name, f"{name} is there, and whether in the {question.place} is not known", called
            )
        if not placed:
            places = listed([s.finding.place for s in called])
            return _reply(question, name, "no", f"it lies in the {places}", called)
        called = placed
    if question.above_mm is not None or question.below_mm is not None:
        return _sized(question, name, called)
    return _reply(question, name, "yes", "; ".join(why_of(s) for s in called), called)


def _not_there(question: Question, name: str, own: Sequence[Statement], sure: float) -> Reply:
    """Whether a finding is surely not where it is asked for: nothing that is sure there says that it is."""
    here = _on_side(own, question.side)
    elsewhere = [s for s in own if s.finding.status == "present" and s not in here]
    lies = [s for s in certain(elsewhere, sure) if s.finding.side]
    if not here and not lies:
        why = doubt_of(own, sure) or f"nothing is stated of the {question.side}"
        return _cannot(question, name, why, own)
    places = {s.finding.place for s in here}
    if here and not places & {"", question.place}:
        return _cannot(question, name, f"it is denied of the {listed(sorted(places))} alone", here)
    sides = {s.finding.side for s in here}
    if question.side is None and len(sides) == 1 and sides & set(SIDES):
        return _cannot(question, name, f"it is denied of the {sides.pop()} alone", here)
    why = "; ".join(why_of(s) for s in here or own)
    if lies:
        why = f"it lies on the {lies[0].finding.side}; {why}"
    return _reply(question, name, "no", why, here or own)


def _on_both(question: Question, name: str, own: Sequence[Statement], sure: float) -> Reply:
    """Whether a finding is there on either side: each is asked for itself."""
    each = [_there(replace(question, side=side), name, own, sure) for side in SIDES]
    telling = next((r for r in each if r.says == "no"), None) or next((r for r in each if not r.told), None)
    because = "; ".join(
        f"{side}: {r.because}" for side, r in zip(SIDES, each, strict=True) if telling in (None, r)
    )
    parts = tuple(dict.fromkeys(part for r in each for part in r.parts))
    return Reply(question.words, question.kind, name, telling.says if telling else "yes", because, parts)


def _sized(question: Question, name: str, called: Sequence[Statement]) -> Reply:
    sizes = [s.finding.size_mm for s in called if s.finding.size_mm is not None]
    if not sizes:
        return _cannot(question, name, f"{name} is there, and its size is not known in millimetres", called)
    largest = max(sizes)
    if question.below_mm is not None and max((s.finding.count or 1 for s in called), default=1) > 1:
        return _cannot(
            question, name, f"the largest measures {largest:.3g} mm; the others' sizes are not stated", called
        )
    bound = question.below_mm if question.above_mm is None else question.above_mm
    at = math.isclose(largest, bound or 0.0)
    beyond = largest > (bound or 0.0) if question.above_mm is not None else largest < (bound or 0.0)
    within = question.itself if at else beyond
    return _reply(question, name, "yes" if within else "no", f"the largest measures {largest:.3g} mm", called)


def _count(question: Question, name: str, own: Sequence[Statement], sure: float) -> Reply:
    here = _on_side(own, question.side)
    counted = [
        s
        for s in here
        if s.finding.count is not None and (not question.side or s.finding.side == question.side)
    ]
    if counted:
        whole = [
            s for s in counted if _group(s) == _group(counted[0])
        ]  # a part may count the same things again
        group = [s for s in here if _group(s) == _group(counted[0])]
        if doubt := next((why for s in group if (why := unsure(s, sure))), ""):
            return _cannot(question, name, doubt, group)
        total = sum(s.finding.count or 0 for s in whole)
        return _reply(question, name, str(total), "; ".join(why_of(s) for s in whole), whole)
    doubt = doubt_of(here, sure)
    if not doubt and here and all(s.finding.status == "absent" for s in here):
        return _reply(question, name, "0", "; ".join(why_of(s) for s in here), here)
    why = doubt or f"the model says whether {name} is there, and not how many"
    return _cannot(question, name, why, here)


def _group(one: Statement) -> str:
    """Return which answer counts: those of one answer count different things, such as those of either side."""
    return one.part.rpartition(".")[0] or one.part


def _size(question: Question, name: str, own: Sequence[Statement], sure: float) -> Reply:
    here = _on_side(own, question.side)
    told = certain(here, sure)
    sized = [s for s in told if s.finding.size_mm is not None and s.finding.status == "present"]
    sized = [s for s in sized if question.side in (None, s.finding.side, *s.finding.name.split())]
    if sized:
        most = max(sized, key=lambda s: s.finding.size_mm or 0.0)
        return _reply(question, name, f"{most.finding.size_mm:.3g} mm", why_of(most), [most])
    measured = [s for s in told if s.number is not None]
    if measured:
        return _number(question, name, measured, sure)
    why = doubt_of(here, sure) or _absent(here, name) or f"the model does not measure {name}"
    return _cannot(question, name, why, here)


def _side(question: Question, name: str, own: Sequence[Statement], sure: float) -> Reply:
    called = [s for s in certain(own, sure) if s.finding.status == "present"]
    if not called:
        return _cannot(question, name, doubt_of(own, sure) or _absent(own, name), own)
    sides = {s.finding.side for s in called if s.finding.side}
    if not sides:
        return _cannot(question, name, f"{name} is there, and on which side is not known", called)
    says = "both" if len(sides) > 1 or "both" in sides else next(iter(sides))
    why = "; ".join(why_of(s) for s in called)
    unknown = {s.finding.side for s in own if unsure(s, sure)} & (set(SIDES) - sides)
    if says != "both" and unknown:
        why += f"; whether it is on the {unknown.pop()} as well is not known"
    return _reply(question, name, says or "", why, called)


def _where(question: Question, name: str, own: Sequence[Statement], sure: float) -> Reply:
    called = [s for s in certain(own, sure) if s.finding.status == "present"]
    if not called:
        return _cannot(question, name, doubt_of(own, sure) or _absent(own, name), own)
    places = [" ".join(w for w in (s.finding.side, s.finding.place) if w) for s in called]
    told = list(dict.fromkeys(p for p in places if p))
    if not told:
        return _cannot(
            question, name, f"{name} is there, and where is not stated in words; see its map or mask", called
        )
    return _reply(question, name, listed(told), "; ".join(why_of(s) for s in called), called)


def _change(question: Question, name: str, own: Sequence[Statement], sure: float) -> Reply:
    told = [s for s in certain(own, sure) if s.finding.change is not None]
    if told:
        return _reply(question, name, str(told[0].finding.change), why_of(told[0]), told)
    return _cannot(
        question, name, "nothing is known of an earlier visit; `vesalius change` compares two", own
    )


def _number(question: Question, name: str, own: Sequence[Statement], sure: float) -> Reply:
    told = [s for s in certain(own, sure) if s.number is not None]
    if not told:
        return _cannot(question, name, f"the model does not measure {name}", own)
    one = told[0]
    return _reply(
        question,
        name,
        f"{one.number:.4g}{f' {one.unit}' if one.unit not in ('', '1') else ''}",
        why_of(one),
        told,
    )


_KINDS: Mapping[str, Callable[[Question, str, Sequence[Statement], float], Reply]] = {
    "there": _there,
    "count": _count,
    "size": _size,
    "side": _side,
    "where": _where,
    "change": _change,
    "number": _number,
}


def _everything(question: Question, statements: Sequence[Statement], sure: float) -> Reply:
    doubted = [s for s in statements if doubt_of([s], sure)]
    names = {s.finding.name.casefold() for s in doubted}
    told = [s for s in statements if s.finding.name.casefold() not in names]
    called = [s for s in distinct(told) if s.finding.status == "present"]
    if not statements:
        return _cannot(question, "", "the model states nothing of its case")
    says = listed([_words(s) for s in called]) or "nothing that it looks for"
    why = "of " + listed(list(dict.fromkeys(s.finding.name for s in statements)), 12)
    if doubted:
        why += f"; it cannot tell of {listed(list(dict.fromkeys(s.finding.name for s in doubted)), 6)}"
    return _reply(question, "", says, why, called)


def _words(one: Statement) -> str:
    if one.number is not None:
        return f"{one.finding.name} {one.number:.4g}{f' {one.unit}' if one.unit not in ('', '1') else ''}"
    return str(one.finding)


def _on_side(own: Sequence[Statement], side: str | None) -> list[Statement]:
    """Return the statements that speak of a side: those of that side, and those that name none."""
    if side in (None, "both"):
        return list(own)
    return [s for s in own if s.finding.side in (side, None, "both")]


def _absent(own: Sequence[Statement], name: str) -> str:
    return f"no {name} is called" if own and all(s.finding.status == "absent" for s in own) else ""


def _reply(question: Question, name: str, says: str, because: str, own: Sequence[Statement]) -> Reply:
    parts = tuple(dict.fromkeys(s.part for s in own))
    return Reply(question.words, question.kind, name, says, because, parts)


def _cannot(question: Question, name: str, why: str, own: Sequence[Statement] = ()) -> Reply:
    return _reply(question, name, CANNOT, why or "nothing is stated of it", own)
