"""Promising: the record of a promise in a stage's calibration, from what was said of cases that the model never saw."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vesalius.answers import contract
from vesalius.answers.contract import Handling
from vesalius.core.answers import Answer
from vesalius.core.bundle import Stage
from vesalius.core.case import Case
from vesalius.core.doubt import Doubt
from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.core.groups import Grouping
from vesalius.core.image import Array
from vesalius.core.promise import FEW, OWN, PROMISE, WITHHOLD
from vesalius.core.words import counted, listed
from vesalius.evaluate import conformal, selective
from vesalius.infer.judging import ERROR, SEVERAL
from vesalius.prepare.case import BLANK
from vesalius.tasks import contract as tasks

CONFIDENCE = 0.95  # with which the error of those that are answered stays below what is asked


@dataclass(frozen=True, eq=False)
class Judged:
    """What is kept of one case: how strange its truth is by name, how sure the answer, whether it is wrong, its set."""

    strange: conformal.Strange
    sure: float | None = None
    wrong: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a calibration: the promised share and the way, by which column, and which answers to withhold.

    `withhold` is `several`, or the largest share of errors among those that are answered; None withholds none. `doubt`
    is how the answers are doubted, of a way that needs it.
    """

    coverage: float = 0.9
    way: str = ""
    by: str | None = None
    withhold: float | str | None = None
    doubt: str | None = None

    def assert_sound(self, handling: Handling[Any]) -> None:
        """Raise PlanError or UnknownName for what cannot be asked, or not of this kind of answer."""
        conformal.assert_coverage(self.coverage)
        kind = handling.kind.__name__
        if not handling.ways:
            raise PlanError(
                f"nothing is promised of answers of kind {kind}", hint=f"`ways` in answers/{kind.lower()}.py"
            )
        if self.way and self.way not in handling.ways:
            raise UnknownName("way to promise", self.way, handling.ways)
        doubted = self.way in handling.doubted_ways
        if doubted and self.doubt is None:
            raise PlanError(
                f"the way '{self.way}' stands on how much an answer is doubted",
                hint="--doubt members, dropout or mirror",
            )
        if self.doubt is not None and not doubted:
            raise PlanError(
                "this promise does not stand on a doubt",
                found=f"--doubt {self.doubt}",
                hint=f"--way {handling.doubted_ways[0]}" if handling.doubted_ways else "no --doubt",
            )
        share = isinstance(self.withhold, int | float) and 0 < float(self.withhold) < 1
        if self.withhold is not None and self.withhold != SEVERAL and not share:
            raise PlanError(
                "answers are withheld by a share of errors, or where a set has several labels",
                found=str(self.withhold),
                hint=f"0.05, or {SEVERAL}",
            )


@dataclass(frozen=True, eq=False)
class Basis:
    """What a promise stands on, for its record: the data's hash, how many patients, and what kind of answers."""

    data_hash: str
    patients: int | None = None
    source: str = OWN
    more: Mapping[str, Any] = field(default_factory=dict)


def judge(answer: Answer, truth: Any, way: str) -> Judged:
    """Return what is kept of one answer beside its truth, which is as the kind's `truth` returns it."""
    handling = contract.of(answer)
    return Judged(
        handling.strangeness(answer, truth, way), handling.sure(answer), handling.wrong(answer, truth)
    )


def judged_raw(
    stage: Stage,
    raw: Mapping[str, Array],
    cases: Sequence[Case],
    *,
    target: str,
    way: str = "",
    doubts: Mapping[str, Doubt] | None = None,
) -> tuple[list[Judged], dict[str, Any]]:
    """Return what a stage's raw outputs come to, decoded with its own calibration, and what their kind keeps of all.

    `raw` are the outputs about each case by its id, `(M, …)`, one of each member, and `doubts` those that answers have.
    """
    task = tasks.get(stage.plan.task.name)
    handling = contract.of(task.answer)
    pairs = []
    for case in cases:
        answer = task.decode(raw[case.id], stage.state, stage.calibration, BLANK)
        answer = replace(answer, case_id=case.id, doubt=(doubts or {}).get(case.id))
        pairs.append((answer, handling.truth(case.targets[target], case)))
    return [judge(answer, truth, way) for answer, truth in pairs], handling.extent(pairs)


def promised(
    stage: Stage,
    judged: Sequence[Judged],
    cases: Sequence[Case],
    *,
    asked: Asked,
    basis: Basis,
    grouping: Grouping | None = None,
    about: Mapping[str, Any] | None = None,
) -> Stage:
    """Return the stage whose calibration promises the asked coverage. Raises DataError where nothing can be."""
    groups = None if grouping is None else [grouping.of(case) for case in cases]
    found = conformal.fit([one.strange for one in judged], asked.coverage, groups=groups)
    on: dict[str, Any] = {
        "data_hash": basis.data_hash,
        "cases": len(judged),
        "patients": basis.patients,
        "when": datetime.date.today().isoformat(),
        "source": basis.source,
        **basis.more,
    }
    if groups is not None:
        on["by_group"] = {g: groups.count(g) for g in sorted({g for g in groups if g is not None})}
        on["group_unknown"] = groups.count(None)
    record = {
        "coverage": asked.coverage,
        "way": asked.way,
        "by": None if grouping is None else grouping.json(),
        **found.json(),
        "about": dict(about or {}),
        "on": on,
    }
    kept = {name: value for name, value in stage.calibration.items() if name != WITHHOLD}
    return replace(stage, calibration={**kept, PROMISE: record})


def withholding(stage: Stage, judged: Sequence[Judged], rule: float | str) -> Stage:
    """Return the stage with the rule by which answers are withheld. Raises DataError where none can be fitted."""
    if rule == SEVERAL:
        return replace(stage, calibration={**stage.calibration, WITHHOLD: {"rule": SEVERAL}})
    known = [(one.sure, one.wrong) for one in judged if one.sure is not None and one.wrong is not None]
    if not known:
        raise DataError(
            "these answers are not plainly right or wrong, or do not say how sure they are: no error can be bounded",
            hint="no --withhold, or answers of one class of several",
        )
    most = float(rule)
    found = selective.controlled(
        [sure for sure, _ in known], [wrong for _, wrong in known], most, confidence=CONFIDENCE
    )
    kept = {
        "rule": ERROR,
        "at": found.at,
        "most": most,
        "confidence": CONFIDENCE,
        "answered": found.answered,
        "error": found.error,
        "bound": found.bound,
        "n": found.n,
    }
    return replace(stage, calibration={**stage.calibration, WITHHOLD: kept})


def notes_of(record: Mapping[str, Any]) -> list[str]:
    """Return what somebody who calibrates must know of a promise, a sentence each."""
    on, said = record["on"], []
    patients = on.get("patients")
    if patients is not None and patients < on["cases"]:
        said.append(
            f"{counted(on['cases'], 'case')} of {counted(patients, 'patient')}: the promise counts cases as if they "
            "did not depend on each other"
        )
    endless = [name or "any case" for name, at in record["pooled"]["at"].items() if at is None]
    if endless:
        said.append(
            f"too few cases to promise {100 * record['coverage']:g} % of {listed(endless, 4)}: "
            "nothing is left out there"
        )
    if record["few"]:
        small = listed((f"{name} ({n})" for name, n in record["few"].items()), 6)
        said.append(f"groups too small for thresholds of their own (under {FEW}): {small}")
    return said
