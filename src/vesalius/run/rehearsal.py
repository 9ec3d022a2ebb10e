"""The way from a raw output to a figure, walked once before training with what another package brings."""

from __future__ import annotations

from vesalius import metrics
from vesalius.answers import contract as answers
from vesalius.core.calling import calling, is_ours
from vesalius.core.case import Case
from vesalius.core.errors import CodeError, VesaliusError
from vesalius.evaluate.scoring import Tally
from vesalius.infer import predictor, runs
from vesalius.infer.asked import assert_empty, assert_kind
from vesalius.infer.handed import prepared_of
from vesalius.infer.handover.contract import Given
from vesalius.infer.runs.contract import Members
from vesalius.learn.examples import Giving
from vesalius.learn.stepper import build
from vesalius.prepare.case import load_reference
from vesalius.run.ready import Ready
from vesalius.run.workspace import Workspace

CASES = 2


def rehearse(space: Workspace, job: Ready, device: str | None, *, given: Giving | None = None) -> None:
    """Answer a few cases with an untrained model, and score them, where the task or its answers are not our own.

    What such an answer says means nothing, so that it may well be refused; but code that fails, or gives another kind
    of thing than it promises, is said now and not after the training. `given` makes of a case what the stage is given.
    Raises CodeError.
    """
    task, kind = job.task, job.task.answer.__name__
    judge = metrics.for_answer(kind) if metrics.judges(kind) else metrics
    if is_ours(task) and is_ours(answers.of(kind)) and is_ours(judge):
        return
    where = predictor.device_of(device)
    members = Members(task, [build(task, job.plan, job.state, 0).to(where).eval()], job.plan, where)
    tally = Tally(kind)
    for case in space.training[:CASES]:
        try:
            _answered(job, members, case, tally, given)
        except CodeError:
            raise
        except VesaliusError:  # an answer of nobody may be refused
            continue
    assert_empty(task)
    if tally.cases and tally.judged:
        _judged(tally)


def _answered(job: Ready, members: Members, case: Case, tally: Tally, given: Giving | None) -> None:
    """Answer one case, and take it into the tally where it has a truth."""
    task, state, what = job.task, job.state, f"task {job.task.name}"
    reference = None if case.images else task.geometry(case, state)
    reference = reference or load_reference(case)
    handed = Given(case, reference) if given is None else given(case, reference)
    example, undo = prepared_of(task, handed, job.plan, state)
    raw = runs.get(task.run).answer(members, example, undo)
    with calling(what, task, "decode", case=case.id):
        answer = task.decode(raw, state, {}, reference, undo=undo)
    assert_kind(task, answer, "decode")
    answers.columns(answer)
    with calling(what, task, "truth", case=case.id):
        truth = task.truth(case, state)
    if truth is not None:
        tally.add(case, answer, truth, None, reference)


def _judged(tally: Tally) -> None:
    """Compute the figures of a tally, which mean nothing yet."""
    judge, what = tally.handling.judge, f"the metrics of {tally.kind}"
    try:
        rows, _ = tally.rows()
        with calling(what, judge, "counts"):
            counts = judge.counts(rows)
        with calling(what, judge, "summary"):
            people = [str(k) for k in range(len(rows))]
            metrics.bootstrap(rows, judge.summary, patients=people, counts=counts, n=2)
    except CodeError:
        raise
    except VesaliusError:  # figures of nobody may be refused
        return
