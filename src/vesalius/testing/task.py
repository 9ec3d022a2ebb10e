"""What a task promises, from what it says of itself to its answer over HTTP; each promise is a function of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vesalius.core.cohort import Cohort
from vesalius.tasks.contract import Task
from vesalius.testing.answered import ANSWERED
from vesalius.testing.described import DESCRIBED
from vesalius.testing.fitted import FITTED
from vesalius.testing.joined import JOINED
from vesalius.testing.merged import MERGED
from vesalius.testing.promise import workplace
from vesalius.testing.trial import TaskTrial, trial_of
from vesalius.testing.untrained import UNTRAINED

__all__ = ["TASK_PROMISES", "TaskTrial", "check_task", "trial_of"]

TASK_PROMISES: tuple[Callable[[TaskTrial], None], ...] = (
    *DESCRIBED,
    *MERGED,
    *UNTRAINED,
    *JOINED,
    *FITTED,
    *ANSWERED,
)


def check_task(
    task: Task | str,
    data: Cohort | Path | str | None = None,
    *,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    dims: int = 3,
    folder: Path | str | None = None,
) -> TaskTrial:
    """Raise AssertionError, in a sentence, at the first promise that a registered task breaks.

    The task is read, planned, fitted for a few steps, stopped and resumed, asked, evaluated and served, and its bundle
    is moved. `data` is a small cohort, or a folder or table that `vs.read` reads with `columns`; by default one is made
    of phantoms, volumes or (`dims=2`) pictures, with a target of the first kind that the task takes and that phantoms
    have. `target` names the target where there are several. `settings` are planned values by path, such as a net.
    It works in `folder`, or in a temporary one, and returns what was made, for further questions.

    Raises UnknownName for a task that is not registered.
    """
    with workplace(folder) as place:
        trial = trial_of(task, data, place, target=target, columns=columns, settings=settings, dims=dims)
        for promise in TASK_PROMISES:
            promise(trial)
    return trial
