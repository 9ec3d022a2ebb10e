"""Boxes of all pictures settled: how they are written, what they are in pixels, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vesalius.cohorts import _box_evidence as evidence
from vesalius.cohorts._box_faults import Remarks, tidy
from vesalius.cohorts._box_pages import Page, Sized, arrays, with_sizes
from vesalius.cohorts._box_ways import ROLE, Way, corners, upright
from vesalius.core.case import Box, Case
from vesalius.core.cohort import Cohort, Label, Question, SetAside, TargetInfo
from vesalius.core.image import Array
from vesalius.core.words import counted, listed

KIND = "boxes"  # the target's kind


@dataclass(frozen=True)
class Settled:
    """The boxes of each case, the cases that cannot be used, and what is to be said of them all."""

    boxes: Mapping[str, tuple[Box, ...]]
    aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    doubts: tuple[Question, ...] = ()
    way: Way = field(default_factory=Way)

    def names(self) -> list[str]:
        """Return the labels that boxes have, in the order of appearance."""
        return list(dict.fromkeys(b.label for held in self.boxes.values() for b in held))


def settle(pages: Sequence[Page], way: Way, told: Way, *, target: str) -> Settled:
    """Return what the boxes of all pages are, in the pixels of their pictures as these are read.

    `way` is what the layout says of how they are written, `told` what a person said, which wins. Where numbers, sizes
    and pictures contradict that, or leave it open, a question or a doubt says so; of each picture its header is read.
    """
    notes, doubts, questions = list[str](), list[Question](), list[Question]()
    aside = [SetAside(p.case, p.fault) for p in pages if p.fault is not None]
    sized, bad = with_sizes([p for p in pages if p.fault is None])
    aside += bad
    way = way.told(told)
    sized, bad = evidence.of_sizes(sized, way, target, notes, questions, doubts)
    aside += bad
    numbers, extents, owner = arrays(sized)
    if len(numbers):
        way = evidence.decided(numbers, extents, way, told, target, notes, questions, doubts)
    sized, turned = evidence.of_turned(sized, numbers, owner, way, target)
    questions += turned
    low, high = _placed(numbers, owner, sized, way)
    found: dict[str, tuple[Box, ...]] = {}
    remarks = Remarks(target)
    for k, one in enumerate(sized):
        here = owner == k
        boxes, why = tidy(one.page, low[here], high[here], numbers[here], one.seen, way, remarks)
        if why is None:
            found[one.page.case] = boxes
        else:
            aside.append(SetAside(one.page.case, why))
    doubts += remarks.doubts()
    notes += remarks.notes()
    return Settled(found, tuple(aside), tuple(notes), tuple(questions), tuple(doubts), way)


def _placed(numbers: Array, owner: Array, sized: Sequence[Sized], way: Way) -> tuple[Array, Array]:
    """Return all corners `(N, D)` in the pictures as these are seen."""
    d = numbers.shape[1] // 2
    if not len(numbers):
        return np.zeros((0, d)), np.zeros((0, d))
    extents = np.array([sized[k].extent[:d] for k in owner])
    low, high = corners(numbers, way, extents)
    scale = np.array([(*sized[k].scale, 1.0)[:d] for k in owner])
    low, high = low * scale, high * scale
    for k in {int(k) for k in owner if sized[int(k)].stored}:
        here, one = owner == k, sized[k]
        low[here], high[here] = upright(low[here], high[here], one.tag, one.seen)
    return low, high


def with_boxes(
    cohort: Cohort, settled: Settled, *, target: str, labels: Sequence[str], reason: str
) -> Cohort:
    """Return the cohort with a target of boxes, and what was said of them; cases that cannot be used are set aside."""
    out = {a.case for a in settled.aside}
    cases = []
    for case in cohort.cases:
        if case.id not in out:
            held = settled.boxes.get(case.id)
            cases.append(case if held is None else _with(case, target, held))
    names = settled.names()
    ordered = [n for n in labels if n in set(names)]
    info = TargetInfo(target, KIND, numbered([*ordered, *(n for n in names if n not in labels)]), reason)
    return replace(
        cohort,
        cases=tuple(cases),
        targets={**cohort.targets, target: info},
        set_aside=(*cohort.set_aside, *settled.aside),
        notes=(*cohort.notes, *settled.notes),
        questions=(*cohort.questions, *settled.questions),
        doubts=(*cohort.doubts, *settled.doubts),
        label_notes=(*cohort.label_notes, *settled.notes),
    )


def _with(case: Case, target: str, boxes: tuple[Box, ...]) -> Case:
    return replace(case, targets={**case.targets, target: boxes})


def numbered(names: Sequence[str]) -> tuple[Label, ...]:
    """Return labels of boxes in the order given, numbered from 1: what counts is their names."""
    return tuple(Label(k, name) for k, name in enumerate(names, start=1))


@dataclass(frozen=True, slots=True)
class Unlisted:
    """What pictures are of which nothing is written: without boxes, or not labelled; and what is said of them."""

    boxes: Mapping[str, tuple[Box, ...]]
    notes: tuple[str, ...] = ()
    doubts: tuple[Question, ...] = ()
    questions: tuple[Question, ...] = ()


def unlisted(
    cases: Sequence[str], told: Way, *, target: str, empty: bool, what: str, usual: bool | None
) -> Unlisted:
    """Return what the pictures of which nothing is written are, as `what` says ("no row in boxes.csv").

    A person's word counts first. `empty`: a file says of some picture that there is nothing in it, so that one of which
    nothing is written was not looked at. Else `usual` is what the format means by it: True for no boxes, False for not
    labelled, None where both are usual, which is asked.
    """
    if not cases:
        return Unlisted({})
    none = dict.fromkeys(cases, ())
    lead = f"{target}: {counted(len(cases), 'picture has', 'pictures have')} {what}"
    if told.complete is not None:
        meant = "no boxes" if told.complete else "is not labelled"
        return Unlisted(none if told.complete else {}, (f"{lead}: {meant}, as told",))
    names, hint = listed(cases, 5), f"--column {ROLE}=complete if there is nothing in them"
    if empty:
        why = "not labelled, as files say of others that nothing is in them"
        return Unlisted({}, (f"{lead}: {why} ({names}); {hint}",))
    if usual is None:
        other = f"{hint}, --column {ROLE}=partial if nobody looked"
        return Unlisted({}, questions=(Question(target, lead, names, other),))
    if usual:
        hint = f"--column {ROLE}=partial if nobody looked at them"
        return Unlisted(none, doubts=(Question(target, f"{lead}, and count as without boxes", names, hint),))
    return Unlisted({}, doubts=(Question(target, f"{lead}, and count as not labelled", names, hint),))


def together(settled: Settled, other: Unlisted) -> Settled:
    """Return what was settled, with the pictures of which nothing is written."""
    return replace(
        settled,
        boxes={**settled.boxes, **other.boxes},
        notes=(*settled.notes, *other.notes),
        doubts=(*settled.doubts, *other.doubts),
        questions=(*settled.questions, *other.questions),
    )
