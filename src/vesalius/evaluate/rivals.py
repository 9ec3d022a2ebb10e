"""Other ways to answer, held beside a model on the same cases: figures of each, and differences paired by patient.

They are the answer that looks at nothing, what the nearest training case says, and what a task names itself, such as a
template that is filled with what the model found. Only kinds that can be quoted, and tasks that name rivals, have them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from vesalius import metrics
from vesalius.answers import contract as answers
from vesalius.core.answers import Answer
from vesalius.core.bundle import State
from vesalius.core.calling import calling
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.progress import Progress
from vesalius.evaluate.nearest import MOST, Nearest
from vesalius.evaluate.paired import differences, together
from vesalius.infer.asked import assert_kind
from vesalius.tasks.contract import Task

RESAMPLES = 400
FIGURES = 8  # of each rival, the first of those that stand on top of a report
MODEL = "the model"
NEAREST = "the nearest training case"
TRIVIAL = "what is most frequent in training"


@dataclass
class _Held:
    """What was measured of one rival, beside the model on the same cases."""

    cases: list[Case] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)
    own: list[Any] = field(default_factory=list)


class Rivals:
    """Collects what rivals say of each case.

    `training` are the cases of which the nearest is quoted, none where nobody knows them; `truth` is a case's truth.
    """

    def __init__(
        self,
        task: Task,
        state: State,
        training: Sequence[Case],
        *,
        truth: Callable[[Case], Any],
        progress: Progress,
    ) -> None:
        self.task, self.state, self.kind = task, state, task.answer.__name__
        self.handling = answers.of(task.answer)
        self.quotes = type(self.handling).quoted is not answers.Handling.quoted
        self.held: dict[str, _Held] = {}
        self.training = len(training) if self.quotes else 0
        self.nearest: Nearest | None = None
        if self.quotes and training and metrics.judges(self.kind):

            def quoted(case: Case) -> Answer | None:
                told = truth(case)
                return None if told is None else self.handling.quoted(self.handling.truth(told, case))

            self.nearest = Nearest(training, quoted, progress=progress)

    def add(self, case: Case, answer: Answer, told: Any, trivial: Answer | None, reference: Image) -> None:
        """Measure what each rival says of a case whose truth is `told`, as the task returns it."""
        if not metrics.judges(self.kind):
            return
        real = self.handling.truth(told, case)
        with calling(f"task {self.task.name}", self.task, "rivals", case=case.id):
            named = dict(self.task.rivals(answer, real, self.state))
        found: dict[str, Answer | None] = {}
        if named or self.quotes:
            found = {TRIVIAL: trivial, NEAREST: self._nearest(reference, case)}
        for name, rival in (found | named).items():
            if rival is None:
                continue
            assert_kind(self.task, rival, "rivals")
            held = self.held.setdefault(name, _Held())
            held.cases.append(case)
            held.made.append(self.handling.measure(replace(rival, case_id=case.id), real, case))
            held.own.append(self.handling.measure(answer, real, case))

    def _nearest(self, reference: Image, case: Case) -> Answer | None:
        return None if self.nearest is None else self.nearest.of(reference, case.id)

    def found(self, *, patients_known: bool, resamples: int = RESAMPLES) -> dict[str, Any]:
        """Return what a scorecard keeps of rivals, as JSON takes it; nothing where there is none."""
        if not self.held:
            return {}
        arms = [
            {"name": name, "n": len(one.cases), **self._compared(name, one, patients_known, resamples)}
            for name, one in self.held.items()
        ]
        used = 0 if self.nearest is None else len(self.nearest)
        return {"resamples": resamples, "training": used, "arms": arms, **self._why()}

    def _why(self) -> dict[str, str]:
        if self.quotes and not self.training:
            return {"without": "no training case is among these data, so that none could be quoted"}
        return {"most": f"{MOST} of {self.training}"} if self.training > MOST else {}

    def _compared(self, name: str, held: _Held, patients_known: bool, resamples: int) -> dict[str, Any]:
        """Return the figures of a rival and of the model on its cases, and the model's less the rival's."""
        ids = [c.id for c in held.cases]
        who = [str(c.patient if patients_known and c.patient is not None else c.id) for c in held.cases]
        first, second = self.handling.rows(held.made, ids), self.handling.rows(held.own, ids)
        first, second, _ = self.handling.alike(first, second)
        try:
            both = together(self.kind, first, second)
            apart = differences(self.kind, both, patients=who, names=(name, MODEL), resamples=resamples)
        except DataError as error:
            return {"patients": len(set(who)), "reason": str(error)}
        names = [n for n in (*self.handling.headlines, *apart) if n in apart and "/" not in n]
        names = list(dict.fromkeys(names))[:FIGURES]
        judge = metrics.for_answer(self.kind)
        own = metrics.bootstrap(
            first,
            judge.summary,
            patients=who,
            counts=judge.counts(first),
            standing=metrics.standing(judge, first),
            n=resamples,
            seed=0,
        )
        return {
            "patients": len(set(who)),
            "figures": {n: asdict(own[n]) for n in names if n in own},
            "differences": {n: asdict(apart[n]) for n in names},
        }
