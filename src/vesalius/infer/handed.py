"""What a stage is given of a case: all that it takes of earlier stages, and the example that follows from it.

Training and answering both come through here, so that a stage learns from what it will be given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.infer import handover
from vesalius.infer.asked import encoded
from vesalius.infer.handover.contract import Given, Key, Takes
from vesalius.prepare.batch import Example
from vesalius.prepare.geometry import Undo
from vesalius.tasks.contract import Task

NAME = "name"  # in what a stage takes: under which name, where that is not the earlier stage's


def given_of(
    takes: Sequence[Takes],
    case: Case,
    reference: Image,
    kept: Mapping[Key, Array],
    *,
    names: Sequence[str],
    target: str | None = None,
) -> Given:
    """Return a case as a stage is given it, with what was kept of the earlier stages that it takes.

    `names` are those of all stages. What is taken as a part comes last, so that all else is cut with it. Of what
    nothing was kept the case is given on without. Raises DataError, naming the case.
    """
    given = Given(case, reference)
    for one in sorted(takes, key=lambda one: handover.get(str(one["as"])).part):
        found = kept.get((one["stage"], one["as"]))
        if found is not None:
            name = str(one.get(NAME, names[one["stage"]]))
            given = handover.get(str(one["as"])).given(given, found, name=name, takes=one, target=target)
    return given


def prepared_of(task: Task, given: Given, plan: Plan, state: State) -> tuple[Example, Undo]:
    """Return what is given, prepared and encoded, and the way back from the prepared grid. Raises DataError."""
    prepared = task.prepare(given.case, plan, state, reference=given.reference)
    example = encoded(task, given.case, prepared, given.reference, state)
    if given.vectors:
        example = replace(example, vectors={**example.vectors, **given.vectors})
    return example, prepared.undo
