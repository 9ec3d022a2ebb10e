"""The plan of a run: its own where it is followed, else the rules' or one that is given, with what the user set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vesalius.core import registry
from vesalius.core.errors import OutputError, PlanError, UnknownName
from vesalius.core.plan import USER, Plan, override
from vesalius.core.words import counted
from vesalius.evaluate.fairness import assert_columns, count_groups
from vesalius.infer.sound import assert_sound
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import options_of
from vesalius.plan import machine as machines
from vesalius.plan import presets, torch_threads
from vesalius.plan.facts import assert_shared_channels
from vesalius.plan.fingerprint import fingerprint
from vesalius.plan.mirroring import assert_joined
from vesalius.plan.rules import check, draft_plan, for_net, staged
from vesalius.plan.together import steadied
from vesalius.plan.weights import ORDER
from vesalius.run.adopting import adopted
from vesalius.run.begin import NOTHING, Begun, with_weights
from vesalius.run.budgeting import budgeted
from vesalius.run.earlier import assert_stages, filled, with_taken
from vesalius.run.free_promise import assert_possible
from vesalius.run.given import (
    GivenStage,
    assert_fitting,
    assert_given,
    known_of,
    with_given,
    with_given_named,
)
from vesalius.run.grouped import grouped
from vesalius.run.harmonising import harmonised, same_request
from vesalius.run.init import same_meaning, taken_over
from vesalius.run.out_of_fold import is_free
from vesalius.run.pacing import Foreseen
from vesalius.run.ready import Ready
from vesalius.run.shots import as_many_steps, assert_few, few_shots, frozen_columns
from vesalius.run.stages import stages_of
from vesalius.run.varied import assert_varied
from vesalius.run.workspace import Workspace, no_side_swapped
from vesalius.tasks import contract
from vesalius.weights.packages import how_installed, is_installed
from vesalius.weights.sources import KIND as SOURCES


@dataclass(frozen=True, eq=False)
class Planned:
    """A plan that is fixed; what was measured for it and made ready meanwhile, None where a run's own is followed."""

    plan: Plan
    foreseen: Foreseen | None = None
    ready: Ready | None = None


def choose_plan(begun: Begun, space: Workspace) -> Plan:
    """Return the plan to follow, or a first one whose number of steps is still open.

    Raises PlanError and UnknownName for what cannot be followed, OutputError where a run's data have changed.
    """
    assert_sound(space.task)
    assert_columns(begun.asked.by, space.cohort.cases, begun.asked.smallest_group)
    assert_fitting(begun.stages, space.training)
    if begun.follows and begun.given is not None:
        _same_run(begun, begun.given, space)
        plan = check(begun.given, space.task)
    else:
        plan = _first_plan(begun, space)
    options_of(plan)
    recipes.get(plan.train.recipe).assert_takes(space.task, plan.train.recipe)
    assert_possible(plan)
    assert_stages(plan, space, begun.stages)
    _say_known(begun, space)
    if not begun.follows:  # a run of before goes on as it began
        _assert_mirrored(plan)
        assert_varied(plan)
        space.task.check_plan(plan, space.target)
    return plan


def _say_known(begun: Begun, space: Workspace) -> None:
    """Say of each bundle that is a stage which of the cases it learned from."""
    learned, tested = [c.id for c in space.training], [c.id for c in space.test]
    for one in begun.stages.values():
        begun.asked.progress.note(known_of(one, space.cohort, space.marks, learned=learned, tested=tested))


def _assert_mirrored(plan: Plan) -> None:
    """Raise PlanError where a stage is to answer mirror images, too, about which its raw answers cannot be joined."""
    earlier = [stage.name for stage in plan.earlier]
    for stage in stages_of(plan):
        if stage.bundle is not None:
            continue
        where = f"earlier.{stage.name}." if stage.name in earlier else ""
        task = contract.get(stage.plan.task.name)
        assert_sound(task)
        assert_joined(task, stage.plan.infer.mirror, hint=f"--set {where}infer.mirror=[]")


def assert_meaning(begun: Begun, plan: Plan) -> None:
    """Raise PlanError where a plan would exchange sides that a label names, or begins from other channels' weights.

    Frozen parts and adapters need weights to begin from: random ones would stay random. So do layer-wise rates, which
    are for what weights know already.
    """
    no_side_swapped(plan)
    if begun.start is not None:
        same_meaning(begun.start, plan)
        return
    if recipes.get(plan.train.recipe).steps is not None and begun.asked.init != NOTHING:
        raise PlanError(
            f"recipe '{plan.train.recipe}' learns nothing below the last layer, and there are no weights to begin from",
            hint=f"--init with a run, a bundle or {ORDER[0]} ({how_installed(ORDER[0])}); --init none to compare with",
        )
    frozen = any(phase.frozen for phase in plan.train.phases)
    if frozen or plan.train.layer_decay < 1:
        path = "train.phases" if frozen else "train.layer_decay"
        preset = plan.reasons.get(path, "").startswith("preset ")
        asks = f"preset '{plan.preset}'" if preset else "a phase of train.phases" if frozen else path
        what = "freezes a part of the model" if frozen else "sets rates by layer"
        undo = "train.phases=[]" if frozen else "train.layer_decay=1"
        raise PlanError(
            f"{asks} {what}, and there are no weights to begin from",
            hint=f"--init with a run, a bundle, a file or a name of weights, or --set {undo}",
        )
    if plan.train.lora:
        raise PlanError(
            "adapters (train.lora) lie beside weights that stay as they are, and there are none to begin from",
            hint="--init with weights of a transformer, or --set train.lora=0",
        )


def fix_steps(begun: Begun, space: Workspace, plan: Plan) -> Planned:
    """Return the plan with its number of steps, from the time there is; a plan that a run follows has its own."""
    torch_threads.use(plan.train.threads)
    asked, start = begun.asked, begun.start
    if begun.follows and not asked.dry_run:
        return Planned(plan)
    found = budgeted(
        space,
        plan,
        begun.limit_s,
        asked.began,
        vacancy=begun.vacancy,
        progress=asked.progress,
        device=asked.device,
        start=start.weights if start else None,
        answered_again=asked.folds is not None and not is_free(plan),
        groups=count_groups(asked.by, space.test, asked.smallest_group),
        given=begun.stages,
    )
    fixed = taken_over(space, found.plan, start, found.ready, asked.progress) if start else found.plan
    return Planned(_with_said(fixed, asked.said), found.foreseen, found.ready)


def _with_said(plan: Plan, said: Mapping[str, str]) -> Plan:
    """Return the plan with other reasons for some of its values; by those it had, its steps were planned."""
    return plan.model_copy(update={"reasons": {**plan.reasons, **said}}) if said else plan


def _same_run(begun: Begun, plan: Plan, space: Workspace) -> None:
    """Refuse to go on with other data, other first weights or other settings than the run began with."""
    if begun.told.get("data_hash") != space.cohort.hash:
        raise OutputError("the data has changed since this run began", found="another hash", hint="a new run")
    origin = begun.start.origin if begun.start else None
    if plan.net.init != origin:
        raise PlanError(
            "this run began from other weights",
            found=origin or "none to begin from",
            hint=f"resume it without --init, or a new run; it began from {plan.net.init or 'random weights'}",
        )
    if begun.asked.preset not in (None, plan.preset):
        raise PlanError(
            "a run that is resumed keeps its plan",
            found=f"preset {begun.asked.preset}, begun with {plan.preset or 'none'}",
            hint="the same again, nothing, or a new run",
        )
    named = {"task.name": space.task.name, "task.target": _named(space), "train.seed": begun.seed}
    assert_given(plan, begun.stages)
    settings = {**named, **with_given_named(begun.asked.settings, begun.stages)}
    if _changed(plan, settings, space, begun.stages):
        other = {n: value for n, value in settings.items() if _changed(plan, {n: value}, space, begun.stages)}
        raise PlanError(
            "a run that is resumed keeps its plan",
            found=", ".join(f"{name}={value}" for name, value in list((other or settings).items())[:1]),
            hint="the same again, nothing, or a new run",
        )


def _changed(
    plan: Plan, settings: Mapping[str, Any], space: Workspace, given: Mapping[str, GivenStage]
) -> bool:
    """Return whether settings, and what earlier stages choose after them, make another plan than this."""
    asked = with_taken(filled(override(plan, settings), space), space, given)
    if same_request(asked.data.harmonise, plan.data.harmonise):  # it has learned since
        data = asked.data.model_copy(update={"harmonise": plan.data.harmonise})
        asked = asked.model_copy(update={"data": data})
    return asked.model_dump(exclude={"reasons"}) != plan.model_dump(exclude={"reasons"})


def _named(space: Workspace) -> str | None:
    return space.target.full_name if space.target else None


def _first_plan(begun: Begun, space: Workspace) -> Plan:
    """Return the rules' plan or the one given, with what the user set; the number of steps is still open."""
    settings = with_given_named(begun.asked.settings, begun.stages)
    assert_shared_channels([*space.training, *space.test], space.facts)
    plan = _given_or_drafted(begun, space)
    start = with_weights(begun, plan).start
    if start is not None and begun.given is None:
        plan = frozen_columns(adopted(plan, start, space.task, settings), settings)
    if begun.asked.preset is not None:
        told = override(
            for_net(plan, settings), settings
        )  # what the user set wins, and a preset may look at it
        plan = presets.applied(begun.asked.preset, told)
    plan = _with_members(with_given(plan, begun.stages, settings), begun.asked.folds, space)
    if start is not None:
        ruled = begun.start is None and begun.given is None
        why = plan.reasons["net.init"] if ruled else USER
        plan = override(plan, {"net.init": start.origin}, reason=why)
    elif begun.asked.init == NOTHING:
        plan = override(plan, {"net.init": None})
    if "train.steps" in settings:  # what the clock changed was about other steps
        plan = plan.model_copy(update={"train": plan.train.model_copy(update={"revisions": ()})})
    plan = staged(filled(steadied(override(for_net(plan, settings), settings), settings), space))
    assert_given(plan, begun.stages)
    plan = with_taken(plan, space, begun.stages)
    if begun.given is not None:  # its number of steps is kept, whatever the clock says
        plan = plan.model_copy(update={"reasons": {**plan.reasons, "train.steps": USER}})
    plan = as_many_steps(grouped(plan, space, begun.asked.by))
    assert_few(plan, begun.asked.folds)
    names = [x.name for x in space.labels]
    if plan.task.positive is not None and plan.task.positive not in names:
        raise UnknownName("class", plan.task.positive, names)
    return harmonised(check(plan, space.task), space, settings, begun.asked.progress)


def _given_or_drafted(begun: Begun, space: Workspace) -> Plan:
    """Return the plan that is given, for this seed, task and target; or the rules'."""
    given, task, target = begun.given, space.task, space.target
    if given is not None:
        asked = {"train.seed": begun.seed, "task.name": task.name, "task.target": _named(space)}
        now = (given.train.seed, given.task.name, given.task.target)
        plan = given if now == tuple(asked.values()) else override(given, asked)
        return plan if plan.train.shots == space.assignment.shots else few_shots(plan, space.assignment.shots)
    prints = fingerprint(space.summary, target)
    machine = replace(machines.measure(), weights=_weights(begun, space))
    usual, why = task.trained_by(prints, machine, start=begun.start is not None)
    recipe = str(begun.asked.settings.get("train.recipe", usual))
    plan = draft_plan(
        task,
        target,
        prints,
        machine,
        seed=begun.seed,
        asked=begun.asked.task is not None,
        also=recipes.get(recipe).defaults,
    )
    if plan.train.recipe != usual:
        plan = override(plan, {"train.recipe": usual}, reason=why)
    return few_shots(plan, space.assignment.shots)


def _weights(begun: Begun, space: Workspace) -> tuple[str, ...] | None:
    """Return the names of installed weights that a plan may begin from; None where it is not the rules' to decide.

    It is the user's who chooses a net or what to begin from; few shots, and training without a target, have rules of
    their own.
    """
    init, chosen = begun.asked.init, begun.asked.settings
    if (space.target is None and not space.task.begins_from_weights) or space.assignment.shots:
        return None
    if any(path.startswith("net.") and path != "net.dropout" for path in chosen):
        return None
    if init is not None:
        return (init,) if begun.start is not None and init in registry.names(SOURCES) else None
    return tuple(name for name in registry.names(SOURCES) if is_installed(name))


def _with_members(plan: Plan, folds: int | None, space: Workspace) -> Plan:
    """Return the plan with the folds that were made, and no more members than these."""
    made = len(space.assignment.folds)
    if folds is not None and folds > len(space.training):
        raise PlanError(
            f"{folds} folds are more than there are cases to train on",
            found=counted(len(space.training), "case"),
            hint=f"--folds {made}",
        )
    if plan.train.folds != made:
        plan = override(plan, {"train.folds": made}, reason=space.assignment.by)
    if folds is not None:
        return override(plan, {"train.members": min(folds, made)})
    if plan.train.members > made:
        plan = override(plan, {"train.members": made}, reason="one for each fold")
    return plan
