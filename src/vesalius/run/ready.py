"""A stage made ready to be trained: what its task learns without gradients, and its prepared examples, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.dicom.values.colours import chosen
from vesalius.infer.asked import learned
from vesalius.learn.examples import Giving, prepare_examples
from vesalius.plan import machine as machines
from vesalius.prepare.batch import Example
from vesalius.run.stages import StagePlan
from vesalius.run.workspace import Workspace
from vesalius.tasks import contract as tasks
from vesalius.tasks.contract import Task

# what the budget and trials decide, and the reasons for it: no state and no example depends on these
BUDGETED: dict[str, Any] = {
    "reasons": True,
    "locate": True,
    "earlier": True,
    "takes": True,
    "net": {"scale": True},
    "infer": {"novelty", "novelty_cases", "alarm_rate"},
    "train": {
        "steps",
        "members",
        "threads",
        "validations",
        "lr",
        "varied",
        "revisions",
        "recipe",
        "recipe_options",
        "unlabelled",
        "accumulate",
        "recompute",
    },
}


@dataclass(frozen=True, eq=False)
class Ready:
    """One stage with its task, its task's state, and the examples made so far by case id.

    None of them has anything of an earlier stage, unless they are all of a stage that is trained now.
    """

    stage: StagePlan
    task: Task
    state: State
    examples: Mapping[str, Example] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the stage is called."""
        return self.stage.name

    @property
    def plan(self) -> Plan:
        """The stage's own plan."""
        return self.stage.plan

    def serves(self, plan: Plan) -> bool:
        """Return whether the state and the examples are those of another plan, too."""
        return plan.model_dump(exclude=BUDGETED) == self.plan.model_dump(exclude=BUDGETED)


def begun(space: Workspace, stage: StagePlan, before: Ready | None = None) -> Ready:
    """Return a stage with its state and no examples; the state of `before` where that serves, else it is learned."""
    task = tasks.get(stage.plan.task.name)
    if before is not None and before.serves(stage.plan):
        return Ready(stage, task, before.state)
    target = space.cohort.targets.get(stage.plan.task.target or "", space.target)
    if target is not None:  # a bundle keeps the colours that its labels are shown in
        target = replace(target, labels=chosen(target.labels))
    return Ready(stage, task, learned(task, training_cases(space, stage, space.learned), target, stage.plan))


def with_examples(
    job: Ready, cases: Sequence[Case], progress: Progress, *, given: Giving | None = None
) -> Ready:
    """Return the stage with the examples of some cases, in memory; `given` makes of a case what the stage is given."""
    made = prepare_examples(job.task, cases, job.plan, job.state, progress=progress, given=given)
    return replace(job, examples={e.case_id: e for e in made})


def made_ready(
    space: Workspace,
    stages: Sequence[StagePlan],
    number: int,
    folder: Path,
    *,
    before: Ready | None,
    given: Giving | None,
    progress: Progress,
) -> Ready:
    """Return the `number`-th stage with every training case prepared; `before` is what was made ready already.

    `given` makes of a case what the stage is given of it, None where that is the case itself. Beyond a quarter of the
    memory that is free, examples lie in `folder`.
    """
    stage = stages[number]
    job = begun(space, stage, before)
    cases = [*training_cases(space, stage), *space.unlabelled]
    known: Mapping[str, Example] = {}
    if given is None and before is not None and job.state is before.state:
        known = before.examples
    made = _prepared(job, [c for c in cases if c.id not in known], known, folder, given, progress)
    found = {**known, **{e.case_id: e for e in made}}
    return replace(job, examples={c.id: found[c.id] for c in cases})


def training_cases(space: Workspace, stage: StagePlan, cases: list[Case] | None = None) -> list[Case]:
    """Return the cases that a stage can learn from: all of the folds, and of another target those that have it.

    They are chosen from `cases` where these are given.
    """
    cases, target = space.training if cases is None else cases, stage.plan.task.target
    if target is None or space.target is None or target == space.target.full_name:
        return cases
    return [c for c in cases if target in c.targets]


def _prepared(
    job: Ready,
    cases: Sequence[Case],
    known: Mapping[str, Example],
    folder: Path,
    given: Giving | None,
    progress: Progress,
) -> list[Example]:
    """Return the examples of the cases that are not known yet."""
    if not cases:
        return []
    used = sum(a.nbytes for e in known.values() for a in (*e.images.values(), *e.targets.values()))
    return prepare_examples(
        job.task,
        cases,
        job.plan,
        job.state,
        progress=progress,
        folder=folder,
        memory_bytes=max(0, machines.measure().memory // 4 - used),
        given=given,
    )
