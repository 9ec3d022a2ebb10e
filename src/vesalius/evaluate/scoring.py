"""Scoring answers against the truth, a case at a time, whatever their kind; and the cases worth showing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vesalius import metrics
from vesalius.answers import contract
from vesalius.answers.drawing.overlay import with_layer
from vesalius.answers.drawing.slices import Slice, look
from vesalius.core.answers import Answer
from vesalius.core.calling import calling
from vesalius.core.case import Case
from vesalius.core.errors import CodeError, DataError
from vesalius.core.image import Image
from vesalius.core.scorecard import Banner, Scorecard
from vesalius.core.subgroups import SMALLEST
from vesalius.core.words import counted
from vesalius.evaluate import banners, kept
from vesalius.evaluate.among import Among
from vesalius.evaluate.scorecard import bare_scorecard, scorecard
from vesalius.metrics import Rows
from vesalius.prepare.geometry import upright

SHOWN = 6
SOLID = 2  # of the worst cases, whose surfaces are pictured
ON_SURFACE = "distance to the truth on the surface, mm"


@dataclass
class Gallery:
    """The best and the worst cases so far; no more are kept than are shown."""

    high: list[tuple[float, Slice]] = field(default_factory=list)
    low: list[tuple[float, Slice]] = field(default_factory=list)

    def wants(self, score: float) -> bool:
        """Return whether a case of that score would be among the shown."""
        if not np.isfinite(score):
            return False
        return len(self.low) < SHOWN or score > self.high[-1][0] or score < self.low[-1][0]

    def is_low(self, score: float, count: int) -> bool:
        """Return whether a case of that score would be among so many of the worst."""
        return len(self.low) < count or score < self.low[count - 1][0]

    def add(self, score: float, shown: Slice) -> None:
        """Take one in, and let go of what is neither best nor worst."""
        self.high = sorted([*self.high, (score, shown)], key=lambda s: -s[0])[:SHOWN]
        self.low = sorted([*self.low, (score, shown)], key=lambda s: s[0])[:SHOWN]

    @property
    def best(self) -> list[Slice]:
        """The best cases, best first; where there are few, the better half."""
        many = len({id(p) for _, p in (*self.high, *self.low)})
        return [p for _, p in self.high][: (many + 1) // 2]

    @property
    def worst(self) -> list[Slice]:
        """The worst cases, worst first; none that is among the best."""
        chosen = {id(p) for p in self.best}
        return [p for _, p in self.low if id(p) not in chosen]


class Tally:
    """Collects what the metrics of one kind of answer need, and the cases that a report shows.

    `has_truth` says that a case had a truth. Of a kind that no metric judges it keeps the cases alone.
    Raises UnknownName where there is no such kind.
    """

    def __init__(self, kind: str) -> None:
        self.kind, self.handling = kind, contract.of(kind)
        self.judged, self.has_truth = metrics.judges(kind), False
        self.cases: list[Case] = []
        self.gallery = Gallery()
        self.solid = False  # whether the surfaces of the worst cases are pictured, too
        self.seconds: list[float] = []  # that each answer took
        self.colours: dict[str, str] = {}  # of the labels, by name
        self.outcomes: list[kept.Outcome] = []  # of promises, and of answers that are withheld
        self.among: Among | None = None  # where single experts' words are known of the cases
        self._made: list[Any] = []
        self._base: list[Any] = []

    def add(self, case: Case, answer: Answer, truth: Any, trivial: Answer | None, reference: Image) -> None:
        """Measure one case. Raises DataError for an answer of another kind, or one that cannot be compared."""
        if not isinstance(answer, self.handling.kind):
            raise DataError(
                f"case {case.id}: the answer is not of kind {self.kind}", found=type(answer).__name__
            )
        self.has_truth = True
        what = f"answers of kind {self.kind}"
        with calling(what, self.handling, "measure", case=case.id):
            truth = self.handling.truth(truth, case)
            measured = self.handling.measure(answer, truth, case)
            base = None if trivial is None else self.handling.measure(trivial, truth, case)
            self.outcomes.append(_outcome(self.handling, case, answer, truth))
        self.cases.append(case)
        if self.among is not None:
            with calling(what, self.handling, "likeness", case=case.id):
                self.among.add(case, answer)
        self.colours = self.colours or self.handling.colours(answer)
        if self.judged:
            self._made.append(measured)
            self._base += [base] if trivial is not None else []
        with calling(what, self.handling, "rate", case=case.id):
            score, caption = self.handling.rate(answer, truth, measured)
        if self.gallery.wants(score):
            real, given = self.handling.outlines(answer, truth, reference)
            if real is None and given is None:
                shown = with_layer(answer, reference, title=case.id, caption=caption, truth=truth)
            else:
                shown = look(upright(reference), case.id, caption=caption, truth=real, answer=given)
            if self.solid and self.gallery.is_low(score, SOLID):
                with calling(what, self.handling, "solid_errors", case=case.id):
                    solid = self.handling.solid_errors(answer, truth)
                shown = shown if solid is None else replace(shown, beside=((ON_SURFACE, solid),))
            self.gallery.add(score, shown)

    def rows(self) -> tuple[Rows, Rows | None]:
        """Return the rows of the answers, and those of the trivial ones where there is one for each case."""
        ids = [c.id for c in self.cases]
        base = self._rows(self._base, ids) if len(self._base) == len(ids) else None
        return self._rows(self._made, ids), base

    def _rows(self, measured: Sequence[Any], ids: Sequence[str]) -> Rows:
        """Return a row a case. Raises CodeError where another package's metrics give other rows."""
        judge, what = self.handling.judge, f"the metrics of {self.kind}"
        with calling(what, judge, "rows"):
            rows = self.handling.rows(measured, ids)
        if not isinstance(rows, Rows) or len(rows) != len(ids):
            raise CodeError(
                f"{what}: `rows` must return Rows with a row a case",
                found=f"{counted(len(rows), 'row')} for {counted(len(ids), 'case')}"
                if isinstance(rows, Rows)
                else type(rows).__name__,
            )
        return rows


def _outcome(handling: contract.Handling[Any], case: Case, answer: Answer, truth: Any) -> kept.Outcome:
    """Return what became of an answer's promise, and whether the answer is withheld."""
    held = None if answer.promise is None else handling.kept(answer, truth)
    return kept.Outcome(
        case, answer.promise, held, answer.withheld is not None, handling.wrong(answer, truth)
    )


def tally_for(answer: type[Answer] | str) -> Tally:
    """Return what collects answers of that kind. Raises UnknownName."""
    return Tally(answer if isinstance(answer, str) else answer.__name__)


def card_of(
    tally: Tally,
    kind: str,
    *,
    split: str,
    data_hash: str,
    patients_known: bool,
    bundle: str,
    target: str | None,
    baseline_is: str = "",
    told: Sequence[Banner] = (),
    fixed: Mapping[str, Any] | None = None,
    smallest: int = SMALLEST,
) -> Scorecard:
    """Return the scorecard of what was collected, after `told`, banners of the model; `fixed` is its calibration.

    How promises were kept is given of groups of at least `smallest` patients.

    Without a truth, and of a kind that no metric judges, it has no figures, and a banner that says so. Raises
    DataError where nothing was collected.
    """
    if not tally.cases:
        raise DataError("no case with a truth to score against", hint="data with the target that was learned")
    patients: Sequence[str | None] = [c.patient if patients_known else None for c in tally.cases]
    if not tally.has_truth or not tally.judged:
        why = banners.of_unjudged(kind) if tally.has_truth else banners.of_no_target()
        return bare_scorecard(
            kind,
            split=split,
            data_hash=data_hash,
            case_ids=[c.id for c in tally.cases],
            patients=patients,
            bundle=bundle,
            target=target,
            banners=(*told, why),
        )
    rows, base = tally.rows()
    who = [str(k) if p is None else p for k, p in enumerate(patients)]
    promised = kept.section(tally.outcomes, fixed or {}, patients=who, smallest=smallest)
    made = scorecard(
        rows,
        kind,
        split=split,
        data_hash=data_hash,
        patients=patients,
        bundle=bundle,
        target=target,
        baseline=base,
        baseline_is=baseline_is if base is not None else "",
        told=told,
        fixed=fixed,
        colours=tally.colours,
    )
    return replace(
        made,
        promise=promised,
        withheld=kept.withheld(tally.outcomes, fixed or {}),
        banners=(*made.banners, *kept.banners(promised)),
    )
