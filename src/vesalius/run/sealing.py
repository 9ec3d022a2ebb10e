"""Sealing what was trained: the members' weights, the plan as it was carried out, calibration, and the bundle."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.disk import output_errors, write_bytes
from vesalius.core.plan import Plan, save_plan
from vesalius.core.version import VERSION
from vesalius.evaluate.cards.about import NOTHING, About
from vesalius.evaluate.cards.known import with_record
from vesalius.infer.selftest.recording import recorded
from vesalius.plan.summary import learned_from
from vesalius.run.facts import data_facts, run_facts
from vesalius.run.free_promise import with_promise
from vesalius.run.given import GivenStage, places_of, sealed_stages
from vesalius.run.members import Outcome, weights_file
from vesalius.run.outcome import calibrated
from vesalius.run.stages import stages_of
from vesalius.run.trained import TrainedStage
from vesalius.run.workspace import Workspace


def seal(
    space: Workspace,
    plan: Plan,
    trained: Sequence[TrainedStage],
    path: Path,
    *,
    about: About = NOTHING,
    given: Mapping[str, GivenStage] | None = None,
    device: str | None = None,
) -> Bundle:
    """Write the weights and the plan into a run's folder, calibrate each stage, and seal the bundle with a self-test.

    The last stage keeps what its card will say of how it was made, and `about`, its maker's word. `given` are the
    bundles that are stages: they go into the new one with their weights. `device` is where the self-test is recorded.
    """
    planned, folder, bundles = stages_of(plan), path / "bundle", given or {}
    save_plan(plan, path / "plan.json")
    places, own = places_of(planned, bundles), iter(trained)
    stages: list[Stage] = []
    for number, stage in enumerate(planned):
        if stage.bundle is not None:
            stages += _given_written(bundles[stage.name], folder, len(stages))
            continue
        each = next(own)
        made = written(each, folder, len(stages), places=places)
        early = number < len(planned) - 1
        stages.append(calibrated(space, made.plan if early else plan, each.outcome, made))
    outcome = trained[-1].outcome
    last = with_promise(space, plan, outcome, stages[-1])
    last = with_record(last, data=data_facts(space), training=run_facts(last.plan, outcome), about=about)
    stages = [*stages[:-1], last]
    bundle = save_bundle(
        path / "bundle",
        tuple(stages),
        data_hash=space.cohort.hash,
        made_by=f"vesalius {VERSION}",
        learned=learned_from(space.summary),
    )
    return recorded(bundle, device=device)


def _given_written(one: GivenStage, folder: Path, base: int) -> list[Stage]:
    """Return the stages of a bundle that is a stage, the weights of their members copied."""
    found = []
    for stage, files in sealed_stages(one, base):
        for old, new in files.items():
            with output_errors(folder / new):
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(one.bundle.path / old, folder / new)
        found.append(stage)
    return found


def written(
    trained: TrainedStage, folder: Path, number: int, *, places: Mapping[int, int] | None = None
) -> Stage:
    """Return a stage as the `number`-th of a bundle, the weights of its members written.

    `places` says which stage of the bundle each stage of the plan is, by default the one of its number.
    """
    from safetensors.torch import save

    job, outcome, names = trained.job, trained.outcome, []
    for k in outcome.kept:
        weights = {n: t.contiguous() for n, t in outcome.trained[k].weights.items()}
        name = weights_file(number, k)
        write_bytes(folder / name, save(weights))
        names.append(name)
    kept = _plan_kept(job.plan, outcome)
    takes = _placed(job.stage.takes, places or {})
    return Stage(job.name, kept, job.state, tuple(names), takes=takes, extras=dict(trained.extras))


def _placed(takes: Mapping[str, Any] | None, places: Mapping[int, int]) -> dict[str, Any] | None:
    """Return what a stage takes, the stages by their numbers in the bundle."""
    if takes is None:
        return None
    found = {**takes, "stage": places.get(takes["stage"], takes["stage"])}
    also = [_placed(one, places) for one in takes.get("also", ())]
    return {**found, "also": also} if also else found


def _plan_kept(plan: Plan, outcome: Outcome) -> Plan:
    """Return the plan as it was followed, with the reason why fewer members answer than were planned."""
    if not outcome.left_out:
        return plan
    why = f"{plan.reasons.get('train.members', 'planned')}; {outcome.left_out}"
    return plan.model_copy(update={"reasons": {**plan.reasons, "train.members": why}})
