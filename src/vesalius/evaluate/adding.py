"""What each source adds: figures with and without it, each alone, and what covariates reach; paired by patient.

A source is left out of the cases that are scored as it is in training with missing ones, and its model is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from vesalius import metrics
from vesalius.answers import contract as answers
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.progress import Progress
from vesalius.evaluate.paired import differences, together
from vesalius.infer.predictor import Predictor
from vesalius.infer.subsets import COVARIATES, Subsets
from vesalius.metrics import Rows

MOST = 20_000  # cases that go through the models again, over all subsets, beyond which it is not done unasked
RESAMPLES = 400
FIGURES = 4  # of each comparison, the first of those that stand on top of a report
TOGETHER = "all together"


@dataclass(frozen=True)
class Arm:
    """One choice of sources to be compared with all of them: which are left in, and of which cases that says anything.

    `kind` is `without` or `alone`, `source` the one that is left out or alone, `kept` those that are left in.
    """

    kind: str
    source: str
    kept: frozenset[str]

    def tells(self, there: frozenset[str]) -> bool:
        """Return whether a case that has these sources says anything: it has the source, and another that is left."""
        return self.source in there and (self.kind == "alone" or len(there) > 1)


@dataclass
class _Held:
    """What was measured of one arm, beside all sources of the same cases."""

    cases: list[Case] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)
    whole: list[Any] = field(default_factory=list)

    def add(self, case: Case, made: Any, whole: Any) -> None:
        self.cases.append(case)
        self.made.append(made)
        self.whole.append(whole)


def of_sources(
    predictor: Predictor,
    cases: Sequence[Case],
    *,
    truth: Callable[[Case], Any],
    patients_known: bool,
    progress: Progress,
    most: int = MOST,
) -> dict[str, Any]:
    """Return what a scorecard says of each source; nothing of a model of one source, or where nothing was judged.

    Of more than `most` passes it says why it was skipped. Cases that cannot be answered are left out, as they are from
    the figures.
    """
    stage, task = predictor.stages[-1].stage, predictor.stages[-1].task
    names = task.sources(stage.state)
    if len(names) < 2 or not cases or not metrics.judges(task.answer.__name__) or len(predictor.stages) > 1:
        return {}
    arms = arms_of(names)
    subsets = len({a.kept for a in arms}) + 1
    if subsets * len(cases) > most:
        why = f"it takes {subsets * len(cases):,} passes, more than {most:,}: score fewer cases to have it"
        return {"names": list(names), "skipped": why}
    held = {arm: _Held() for arm in arms}
    plain = _Held()
    handling = answers.of(task.answer)
    progress.start("what each source adds", len(cases))
    try:
        for case in cases:
            progress.advance("what each source adds")
            try:
                asking = Subsets(predictor, case)
                whole, each = _answers(asking, arms)
                real = handling.truth(truth(case), case)
                measured = handling.measure(whole, real, case)
                for arm, answer in each.items():
                    held[arm].add(case, handling.measure(answer, real, case), measured)
                bare = task.plain(asking.example, stage.state)
                if bare is not None and COVARIATES in asking.there:
                    plain.add(case, handling.measure(replace(bare, case_id=case.id), real, case), measured)
            except VesaliusError as error:
                progress.note(f"not counted in what each source adds: {case.id}: {error}")
    finally:
        progress.finish("what each source adds")
    compared = [
        {"kind": arm.kind, "source": arm.source, **_compared(task.answer.__name__, one, patients_known)}
        for arm, one in held.items()
    ]
    if plain.cases:
        found = _compared(task.answer.__name__, plain, patients_known)
        compared.append({"kind": "plain", "source": COVARIATES, **found})
    return {
        "names": list(names),
        "passes": subsets * len(cases),
        "resamples": RESAMPLES,
        "arms": [one for one in compared if one["n"]],
    }


def arms_of(names: Sequence[str]) -> list[Arm]:
    """Return what is compared with all sources: all but each, and each alone."""
    every = frozenset(names)
    without = [Arm("without", n, every - {n}) for n in names]
    return [*without, *(Arm("alone", n, frozenset({n})) for n in names)]


def _answers(asking: Subsets, arms: Sequence[Arm]) -> tuple[Answer, dict[Arm, Answer]]:
    """Return the answer to a case with all it has, and with each choice of sources that says anything of it."""
    chosen = [arm for arm in arms if arm.tells(asking.there)]
    kept = list(dict.fromkeys([asking.there, *(arm.kept & asking.there for arm in chosen)]))
    said = dict(zip(kept, asking.answers(kept), strict=True))
    return said[asking.there], {arm: said[arm.kept & asking.there] for arm in chosen}


def _compared(kind: str, held: _Held, patients_known: bool) -> dict[str, Any]:
    """Return the figures of one arm, and their differences from those of all sources on the same cases."""
    ids = [c.id for c in held.cases]
    if not ids:
        return {"n": 0}
    handling = answers.of(kind)
    first, second = handling.rows(held.made, ids), handling.rows(held.whole, ids)
    first = _as(first, second)
    who = [str(c.patient if patients_known and c.patient is not None else c.id) for c in held.cases]
    try:
        found = differences(
            kind, together(kind, first, second), patients=who, names=("less", TOGETHER), resamples=RESAMPLES
        )
    except DataError as error:
        return {"n": len(ids), "reason": str(error)}
    names = [n for n in (*handling.headlines, *found) if n in found and "/" not in n]
    names = list(dict.fromkeys(names))[:FIGURES]
    judge = metrics.for_answer(kind)
    counts = judge.counts(first)
    own = metrics.bootstrap(
        first,
        judge.summary,
        patients=who,
        counts=counts,
        standing=metrics.standing(judge, first),
        n=RESAMPLES,
        seed=0,
    )
    return {
        "n": len(ids),
        "patients": len(set(who)),
        "figures": {name: asdict(own[name]) for name in names if name in own},
        "differences": {name: asdict(found[name]) for name in names},
    }


def _as(rows: Rows, like: Rows) -> Rows:
    """Return rows whose figures speak of the same positive class and thresholds."""
    shared = {k: like.info[k] for k in ("positive", "thresholds") if k in like.info}
    return replace(rows, info={**rows.info, **shared})
