"""The promise that `fit` makes where a plan asks for one: of the answers that members gave to their own folds.

It costs no case, but each answer is that of one member and the bundle answers with all, and a member's best checkpoint
may have been chosen on them. So it is not exact, and every answer says so; `calibrate` makes one that is.
"""

from __future__ import annotations

from vesalius.answers import contract
from vesalius.core.bundle import Stage
from vesalius.core.errors import PlanError
from vesalius.core.plan import Plan
from vesalius.core.promise import OPTION, OUT_OF_FOLD
from vesalius.evaluate.promising import Asked, Basis, judged_raw, promised
from vesalius.infer import runs
from vesalius.run.members import Outcome
from vesalius.run.workspace import Workspace
from vesalius.tasks import contract as tasks


def assert_possible(plan: Plan) -> None:
    """Raise PlanError where a plan asks for a promise that this run cannot make."""
    asked = plan.task.options.get(OPTION)
    if asked is None:
        return
    task = tasks.get(plan.task.name)
    asked_of = Asked(coverage=asked, way=task.promises(plan))  # type: ignore[arg-type]
    asked_of.assert_sound(contract.of(task.answer))
    if not runs.get(task.run).held_out:
        raise PlanError(
            f"answers of the task {task.name} about cases of their own folds are not kept, so nothing can be promised",
            hint="no task.options.coverage; vesalius calibrate, with a cohort of its own",
        )


def with_promise(space: Workspace, plan: Plan, outcome: Outcome, stage: Stage) -> Stage:
    """Return the last stage with what its plan asks to promise; as it is where it asks for nothing."""
    asked = plan.task.options.get(OPTION)
    if asked is None or not outcome.held_out or space.target is None:
        return stage
    cases = [space.cohort.case(i) for i in outcome.held_out]
    way = tasks.get(plan.task.name).promises(plan)
    judged, about = judged_raw(stage, outcome.held_out, cases, target=space.target.name, way=way)
    patients = len({c.patient for c in cases}) if space.cohort.patients_known else None
    return promised(
        stage,
        judged,
        cases,
        asked=Asked(coverage=float(asked), way=way),
        basis=Basis(space.cohort.hash, patients, OUT_OF_FOLD),
        about=about,
    )
