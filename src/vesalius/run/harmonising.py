"""The harmonisation of a plan: chosen by a threshold on training cases where one is asked for, and fitted on these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from vesalius.core.errors import PlanError
from vesalius.core.plan import USER, HarmonisePlan, Plan, override
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.learn.harmoniser import train
from vesalius.prepare import harmonise
from vesalius.prepare.harmonise.contract import Fitted, Sample
from vesalius.prepare.harmonising import called, fitted_steps, has_scale, steps_of
from vesalius.run.harmonise.looks import Looks, look_at, planned_pixels
from vesalius.run.harmonise.trial import chosen_of, least_of, methods_for, scale_of, try_all, words_of
from vesalius.run.workspace import Workspace

FIELD = "data.harmonise"


def trainer(seed: int) -> Any:
    """Return what trains a learned normaliser, from a seed."""

    def trained(samples: Sequence[Sample], options: Mapping[str, Any]) -> Fitted:
        return train(samples, options, seed=seed)

    return trained


def harmonised(plan: Plan, space: Workspace, settings: Mapping[str, Any], progress: Progress) -> Plan:
    """Return the plan with the steps of its harmonisation chosen and fitted on training cases, and no test case.

    Where its steps end in one scale for all images, these are normalised by the mean and deviation that training images
    then have, unless a user set that. Raises PlanError where no way holds the threshold, DataError where one cannot
    learn from these images.
    """
    asked = plan.data.harmonise
    if asked is None or (_is_done(asked) and not _rescales(asked, settings)):
        return plan
    if asked.threshold is None and not asked.steps:
        return override(plan, {FIELD: None}, reason="no method and no threshold was named")
    pixels = partial(planned_pixels, plan=plan.data)
    looks = look_at(space.learned, pixels, by=asked.by, progress=progress, seed=plan.train.seed)
    reason = plan.reasons.get(FIELD, USER)
    if not asked.steps:
        asked, reason = _chosen(asked, looks, plan.train.seed, progress)
    steps = fitted_steps(asked.steps, _per_channel(looks, plan), train=trainer(plan.train.seed))
    if steps != asked.steps:
        reason = f"{reason}; learned from {counted(len(looks.each), 'training image')}"
    made = asked.model_copy(update={"steps": steps})
    for note in looks.notes:
        progress.note(f"{FIELD}: {note}")
    plan = override(plan, {FIELD: made.model_dump()}, reason=reason)
    if has_scale(steps) and "data.normalise" not in settings:
        each = scale_of(looks, steps)
        entries = [{"method": "fixed", **numbers} for numbers in each]
        why = f"{called(steps)} puts images on one scale: its mean and deviation over training images"
        plan = override(plan, {"data.normalise": entries}, reason=why)
    return plan


def same_request(asked: HarmonisePlan | None, made: HarmonisePlan | None) -> bool:
    """Return whether a harmonisation is what was asked for, whatever it has learned since."""
    if asked is None or made is None:
        return asked is made
    if asked.steps:
        both = [[(s.method, s.options) for s in one.steps] for one in (asked, made)]
        return both[0] == both[1] and asked.by == made.by
    return (asked.by, asked.threshold, asked.methods) == (made.by, made.threshold, made.methods)


def _is_done(asked: HarmonisePlan) -> bool:
    """Return whether all steps have learned what they must."""
    return bool(asked.steps) and all(
        step.fitted or not harmonise.says(step.method, "FITTED", False) for step in asked.steps
    )


def _rescales(asked: HarmonisePlan, settings: Mapping[str, Any]) -> bool:
    """Return whether a user named steps that end in another scale than the one the planned normalisation is of."""
    named = any(path.startswith(FIELD) for path in settings)
    return named and "data.normalise" not in settings and has_scale(asked.steps)


def _per_channel(looks: Looks, plan: Plan) -> list[list[Sample]]:
    """Return the samples of each planned channel. Raises PlanError where images have another number of channels."""
    if len(looks.channels) != plan.data.channels:
        raise PlanError(
            "images are harmonised channel by channel, and this plan makes other channels of them",
            found=f"{len(looks.channels)} in the images, {plan.data.channels} planned",
            hint="--set data.harmonise=null",
        )
    return looks.samples()


def _chosen(asked: HarmonisePlan, looks: Looks, seed: int, progress: Progress) -> tuple[HarmonisePlan, str]:
    """Return the plan with the first way that holds the threshold, and the reason. Raises PlanError where none does."""
    methods = methods_for(looks.unit, asked.methods)
    tried = try_all(
        looks,
        methods,
        threshold=asked.threshold,
        every=False,
        train=trainer(seed),
        progress=progress,
        details=False,
        seed=seed,
    )
    chosen, least = chosen_of(tried), least_of(tried)
    if chosen is None:
        raise PlanError(
            f"no way of harmonising holds a spread of {asked.threshold:g} between {asked.by}s",
            found=words_of(tried),
            hint=f"--set {FIELD}={least.method} for the least, another threshold, or vesalius harmonise to see more"
            if least is not None
            else "vesalius harmonise, to see why",
        )
    found = "" if chosen.spread is None else f"; the spread between {asked.by}s is {chosen.spread.value}"
    progress.note(f"{FIELD}: {chosen.method}{found}")
    reason = (
        f"the first whose spread between {asked.by}s does not exceed {asked.threshold:g}: {words_of(tried)}"
    )
    return asked.model_copy(update={"steps": steps_of(chosen.method)}), reason
