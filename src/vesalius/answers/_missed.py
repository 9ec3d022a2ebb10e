"""Boxes beside those that are called: as many as a promise takes in, so that few of the true ones are missed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from vesalius.answers.contract import Kept
from vesalius.core.answers.boxes import COUNTS, Boxes
from vesalius.core.case import Box
from vesalius.core.image import Array
from vesalius.core.levels import PER_STEP, SPAN, STEPS
from vesalius.core.promise import Limits, Promise
from vesalius.core.words import counted, listed
from vesalius.metrics import boxes as judge

OUTER = (
    "outer"  # the part of boxes that holds the called ones, and those that the promise takes in beside them
)
NOTHING = -1  # the level of what no box finds, below all thresholds


def missed(answer: Boxes, truth: Sequence[Box]) -> Iterator[tuple[str, Array]]:
    """Yield for each label that is there which share of its true boxes each threshold would miss, `(STEPS + 1,)`.

    Place k is the share where the called boxes, and all of level k or more, are taken in: at 0 those are all candidates
    that the model has, of which none may find a true one; at STEPS the called ones alone.
    """
    for name, levels in _levels_found(answer, truth):
        counts = np.bincount(levels + 1, minlength=STEPS + 2)  # place 0 is what nothing finds
        yield name, np.cumsum(counts)[: STEPS + 1] / len(levels)


def promised(answer: Boxes, limits: Limits) -> Boxes:
    """Return the answer with the outer boxes in the part `outer`; of a label that has no threshold all candidates."""
    names = [x.name for x in answer.labels]
    unsure = [name for name in names if math.isinf(limits.of(name))]
    if len(unsure) == len(names):
        return answer  # not even all candidates would keep it, or nobody has tried
    least = {name: 0 if name in unsure else int(limits.of(name)) for name in names}
    called, levels = set(answer.called), levels_of(answer.p)
    taken = [k for k, box in enumerate(answer.boxes) if k in called or levels[k] >= least.get(box.label, 0)]
    remarks = limits.remarks
    if unsure:
        few = counted(limits.least(unsure), "calibration case")
        why = f"of {listed(unsure, 4)} all candidates are taken in, and nothing is promised: {few} had it, or more of "
        remarks = (*remarks, f"{why}the true ones than that have no candidate")
    most = f"{100 * (1 - limits.coverage):g} %"
    made = Promise(
        limits.coverage,
        f"the outer boxes miss at most {most} of the true ones of each label, on average over cases like those of the "
        "calibration that have it",
        part=OUTER,
        group=limits.group,
        n=limits.least([name for name in names if name not in unsure]),
        remarks=remarks,
    )
    outer = Boxes(
        boxes=tuple(answer.boxes[k] for k in taken),
        p=np.asarray(answer.p)[taken],
        labels=answer.labels,
    )
    return replace(answer, promise=made, parts={**answer.parts, OUTER: outer})


def kept(answer: Boxes, truth: Sequence[Box]) -> Kept | None:
    """Return the share of each label's true boxes that the outer ones miss, and how many of them there are a called."""
    if OUTER not in answer.parts:
        return None
    outer = cast(Boxes, answer.parts[OUTER])
    held = {name: float((levels == NOTHING).mean()) for name, levels in _levels_found(outer, truth)}
    many, few = len(outer.boxes), len(answer.called)
    return Kept(held, many / few if few else math.inf if many else 1.0, mean=True)


def levels_of(p: Array) -> Array:
    """Return the level of each probability, `(N,)`, as `core/levels.py` has them."""
    held = np.clip(np.asarray(p, dtype=np.float64), 1e-12, 1 - 1e-12)
    odds = np.log(held) - np.log1p(-held)
    return np.clip(np.floor((odds + SPAN) / PER_STEP), 0, STEPS - 1).astype(np.int64)


def _levels_found(answer: Boxes, truth: Sequence[Box]) -> Iterator[tuple[str, Array]]:
    """Yield each label that is there with the level of the box that finds each of its true ones, STEPS of a called one.

    NOTHING where no box does. A true one is found by one box, the surest that takes it, as in figures.
    """
    parts = {name: part for name, part in answer.parts.items() if name == COUNTS}
    found, names = judge.found_by(replace(answer, parts=parts), truth)
    called = np.zeros(len(answer.boxes), dtype=bool)
    called[list(answer.called)] = True
    levels = np.where(called, STEPS, levels_of(answer.p)) if len(called) else np.zeros(0, np.int64)
    for label in answer.labels:
        by = found[names == label.name]
        if len(by):
            yield (
                label.name,
                np.where(by >= 0, levels[by] if len(levels) else NOTHING, NOTHING).astype(np.int64),
            )
