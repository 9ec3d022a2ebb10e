"""A training with some folds held out, so that plans can be compared: one member, on all other folds."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.learn import checkpoint
from vesalius.learn.course import Pace
from vesalius.learn.loop import Trained, Validate, train
from vesalius.learn.recipes import contract as recipes
from vesalius.prepare.batch import Example
from vesalius.run.ready import Ready
from vesalius.run.workspace import Workspace

MEMBER = 0  # whose first weights and draws all plans have
LATE = 1.1  # times its seconds: when a training ends whatever its schedule says


@dataclass(frozen=True, eq=False, kw_only=True)
class FoldTraining:
    """What all plans that are compared share: the cases, the folds held out, the time, where it is worked.

    `seconds` is how long a training takes, None where its steps are counted; `start` are weights to begin from.
    `learn` are the cases that may be learned from, None for all that are not held out.
    """

    space: Workspace
    group: Sequence[int]
    seconds: float | None
    folder: Path
    progress: Progress
    device: str | None = None
    start: Mapping[str, Tensor] | None = None
    learn: Collection[str] | None = None

    def trained(self, job: Ready, plan: Plan, *, name: str, validate: Validate | None = None) -> Trained:
        """Return what one plan comes to; `job` is its stage made ready. A training that was killed goes on.

        Raises what training raises.
        """
        began = time.monotonic()
        learned, beside = dealt(self.space, self.group, job, plan)
        if self.learn is not None:
            learned = [e for e in learned if e.case_id in self.learn]
        seconds = self._left(name)
        return train(
            job.task,
            plan,
            job.state,
            [*learned, *beside],
            validate,
            member=MEMBER,
            folder=self.folder,
            progress=self.progress,
            name=name,
            deadline=None if seconds is None else began + LATE * seconds,
            pace=None if seconds is None else Pace(began + seconds, 2 * plan.train.steps),
            device=self.device,
            start=self.start,
            unlabelled=[e.case_id for e in beside],
        )

    def _left(self, name: str) -> float | None:
        """Return the seconds of a training, of which one that was stopped has had as much as of its steps."""
        path = self.folder / "checkpoints" / f"{name}-{MEMBER}.pt"
        if self.seconds is None or not path.is_file():
            return self.seconds
        kept = checkpoint.load(path)
        planned = kept.changes[-1][1] if kept.changes else 0
        return self.seconds * max(0.0, 1 - kept.step / planned) if planned else self.seconds


def held(space: Workspace, group: Sequence[int]) -> tuple[str, ...]:
    """Return the cases of some folds."""
    return tuple(i for k in group for i in space.assignment.folds[k])


def dealt(
    space: Workspace, group: Sequence[int], job: Ready, plan: Plan
) -> tuple[list[Example], list[Example]]:
    """Return the labelled examples to learn from where a group of folds is held out, and those without the target.

    No case without the target is learned from that shares its patient with one that is held out.
    """
    rest = [k for k in range(len(space.assignment.folds)) if k not in group]
    learned = [job.examples[i] for i in held(space, rest) if i in job.examples]
    if not recipes.get(plan.train.recipe).unlabelled:
        return learned, []
    allowed = [set(space.assignment.unlabelled[k]) for k in group]
    beside = [i for i in space.assignment.beside if all(i in ids for ids in allowed)]
    return learned, [job.examples[i] for i in beside]
