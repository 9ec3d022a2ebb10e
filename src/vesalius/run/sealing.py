"""Sealing what was trained: the members' weights, the plan as it was carried out, calibration, and the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.disk import write_bytes
from vesalius.core.plan import Plan, save_plan
from vesalius.core.version import VERSION
from vesalius.plan.summary import learned_from
from vesalius.run.free_promise import with_promise
from vesalius.run.members import Outcome
from vesalius.run.outcome import calibrated
from vesalius.run.training import TrainedStage
from vesalius.run.workspace import Workspace


def seal(space: Workspace, plan: Plan, trained: Sequence[TrainedStage], path: Path) -> Bundle:
    """Write the weights and the plan into a run's folder, calibrate each stage, and seal the bundle."""
    stages = [_written(each, path / "bundle", number) for number, each in enumerate(trained)]
    save_plan(plan, path / "plan.json")
    early = [calibrated(space, s.plan, t.outcome, s) for s, t in zip(stages[:-1], trained[:-1], strict=True)]
    last = calibrated(space, plan, trained[-1].outcome, stages[-1])
    stages = [*early, with_promise(space, plan, trained[-1].outcome, last)]
    return save_bundle(
        path / "bundle",
        tuple(stages),
        data_hash=space.cohort.hash,
        made_by=f"vesalius {VERSION}",
        learned=learned_from(space.summary),
    )


def _written(trained: TrainedStage, folder: Path, number: int) -> Stage:
    """Return a stage of the bundle, the weights of its members written."""
    from safetensors.torch import save

    job, outcome, names = trained.job, trained.outcome, []
    for k in outcome.kept:
        weights = {n: t.contiguous() for n, t in outcome.trained[k].weights.items()}
        name = f"weights-{number}-{k}.safetensors"
        write_bytes(folder / name, save(weights))
        names.append(name)
    return Stage(job.name, _plan_kept(job.plan, outcome), job.state, tuple(names), takes=job.stage.takes)


def _plan_kept(plan: Plan, outcome: Outcome) -> Plan:
    """Return the plan as it was followed, with the reason why fewer members answer than were planned."""
    if not outcome.left_out:
        return plan
    why = f"{plan.reasons.get('train.members', 'planned')}; {outcome.left_out}"
    return plan.model_copy(update={"reasons": {**plan.reasons, "train.members": why}})
