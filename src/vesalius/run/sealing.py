"""Sealing what was trained: the members' weights, the plan as it was carried out, calibration, and the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.disk import write_bytes
from vesalius.core.plan import Plan, save_plan
from vesalius.core.version import VERSION
from vesalius.evaluate.cards.about import NOTHING, About
from vesalius.evaluate.cards.known import with_record
from vesalius.infer.selftest.recording import recorded
from vesalius.plan.summary import learned_from
from vesalius.run.facts import data_facts, run_facts
from vesalius.run.free_promise import with_promise
from vesalius.run.members import Outcome, weights_file
from vesalius.run.outcome import calibrated
from vesalius.run.training import TrainedStage
from vesalius.run.workspace import Workspace


def seal(
    space: Workspace,
    plan: Plan,
    trained: Sequence[TrainedStage],
    path: Path,
    *,
    about: About = NOTHING,
    device: str | None = None,
) -> Bundle:
    """Write the weights and the plan into a run's folder, calibrate each stage, and seal the bundle with a self-test.

    The last stage keeps what its card will say of how it was made, and `about`, its maker's word. `device` is where the
    self-test is recorded.
    """
    stages = [_written(each, path / "bundle", number) for number, each in enumerate(trained)]
    save_plan(plan, path / "plan.json")
    early = [calibrated(space, s.plan, t.outcome, s) for s, t in zip(stages[:-1], trained[:-1], strict=True)]
    outcome = trained[-1].outcome
    last = with_promise(space, plan, outcome, calibrated(space, plan, outcome, stages[-1]))
    last = with_record(last, data=data_facts(space), training=run_facts(last.plan, outcome), about=about)
    stages = [*early, last]
    bundle = save_bundle(
        path / "bundle",
        tuple(stages),
        data_hash=space.cohort.hash,
        made_by=f"vesalius {VERSION}",
        learned=learned_from(space.summary),
    )
    return recorded(bundle, device=device)


def _written(trained: TrainedStage, folder: Path, number: int) -> Stage:
    """Return a stage of the bundle, the weights of its members written."""
    from safetensors.torch import save

    job, outcome, names = trained.job, trained.outcome, []
    for k in outcome.kept:
        weights = {n: t.contiguous() for n, t in outcome.trained[k].weights.items()}
        name = weights_file(number, k)
        write_bytes(folder / name, save(weights))
        names.append(name)
    kept = _plan_kept(job.plan, outcome)
    return Stage(job.name, kept, job.state, tuple(names), takes=job.stage.takes, extras=dict(trained.extras))


def _plan_kept(plan: Plan, outcome: Outcome) -> Plan:
    """Return the plan as it was followed, with the reason why fewer members answer than were planned."""
    if not outcome.left_out:
        return plan
    why = f"{plan.reasons.get('train.members', 'planned')}; {outcome.left_out}"
    return plan.model_copy(update={"reasons": {**plan.reasons, "train.members": why}})
