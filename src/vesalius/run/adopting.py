"""What a plan takes over of weights to begin from: the net that they are of, and how pictures are normalised for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from vesalius.core.channels import COLOURS
from vesalius.core.errors import PlanError
from vesalius.core.plan import NetPlan, Normalisation, Plan, override
from vesalius.nets import describe
from vesalius.run.init import WORDY, Start
from vesalius.tasks.contract import Task
from vesalius.weights.contract import Weights

OVER = "flexunet"  # the dense net over an encoder
PER_AXIS = ("strides", "kernels", "kernels_up", "patch")  # options with a number for each axis
SEEING = ("encoder", "dense")


def adopted(plan: Plan, start: Start, task: Task, settings: Mapping[str, Any]) -> Plan:
    """Return the plan with the net of the weights to begin from, and their normalisation; what the user set stays.

    Where nobody knows what net the weights are of, or the user named another, the plan's net stays. A task of dense
    nets takes an encoder's weights by a U-Net over that encoder.
    """
    theirs = (
        start.plan.net if start.plan is not None else start.given.net if start.given is not None else None
    )
    if theirs is not None and describe(theirs.name).get("ROLE") in WORDY:
        return _with_words(plan, theirs, start, task, settings)
    if theirs is not None and start.given is not None:
        theirs = _of_dims(theirs, start.given, plan)
    if theirs is not None:
        plan = _with_net(plan, theirs, task, settings)
    if start.given is not None and start.given.mean and "data.normalise" not in settings:
        plan = _normalised(plan, start.given)
    if start.given is not None:
        plan = _as_they_learned(plan, start.given, settings)
    elif start.plan is not None:
        plan = _harmonised_as(plan, start.plan, settings)
        plan = _normalised_as(plan, start.plan.data.normalise, settings)
    return plan


def _with_words(plan: Plan, theirs: NetPlan, start: Start, task: Task, settings: Mapping[str, Any]) -> Plan:
    """Return the plan with a net that reads or writes where the task has one of its role; nothing else changes.

    That is the task's own net, one of its further nets, or, of nets that read, one for each text that is a source.
    Raises PlanError where the task has no use for it.
    """
    role = describe(theirs.name).get("ROLE")
    places = ["net"] if role in task.roles else []
    places += [f"nets.{name}" for name, roles in task.nets.items() if role in roles]
    places += [f"nets.{name}" for name in plan.sources.texts] if role == "text" else []
    free = [p for p in places if settings.get(f"{p}.name", theirs.name) == theirs.name]
    if not places:
        raise PlanError(
            f"the weights that --init names are of a net that {task.name} has no use for",
            found=f"{theirs.name}, a net of role {role}",
            hint="--column text=NAME, where a text is to be read"
            if role == "text"
            else "weights of a net that sees images",
        )
    chosen: dict[str, Any] = {
        f"{place}.{what}": value
        for place in free
        for what, value in (("name", theirs.name), ("scale", theirs.scale), ("options", theirs.options))
        if f"{place}.{what}" not in settings
    }
    if start.plan is not None and free:
        before = start.plan.sources
        parted = {"tokenizer": before.tokenizer, "vocabulary": before.vocabulary, "longest": before.longest}
        chosen |= {f"sources.{k}": v for k, v in parted.items() if f"sources.{k}" not in settings}
    return override(plan, chosen, reason="that of the weights to begin from") if chosen else plan


def _harmonised_as(plan: Plan, theirs: Plan, settings: Mapping[str, Any]) -> Plan:
    """Return the plan with what the weights' images were harmonised with, and what it had learned of them.

    What the user set stays. Raises PlanError where it is of another number of channels.
    """
    steps = theirs.data.harmonise
    if steps is None or any(path.startswith("data.harmonise") for path in settings):
        return plan
    if theirs.data.channels != plan.data.channels:
        raise PlanError(
            "the weights learned from images that were harmonised channel by channel, and these have other channels",
            found=f"{theirs.data.channels} and {plan.data.channels} channels",
            hint="--set data.harmonise=null, to begin from them all the same",
        )
    entries = {
        "data.harmonise": steps.model_dump(),
        "data.normalise": [n.model_dump() for n in theirs.data.normalise],
    }
    return override(plan, entries, reason="as for the images that the weights learned from")


def _of_dims(theirs: NetPlan, given: Weights, plan: Plan) -> NetPlan:
    """Return the net with options for the planned axes: what is said of y and x is said of z as of y.

    Raises PlanError where weights of volumes are to be those of a net of pictures.
    """
    if given.dims == plan.data.dims:
        return theirs
    if given.dims > plan.data.dims:
        raise PlanError(
            "the weights that --init names are of a net of volumes",
            found=f"{given.dims}-D weights, and a {plan.data.dims}-D plan",
            hint="--set data.dims=3, or weights of a net of pictures",
        )
    listed = {k: v for k, v in theirs.options.items() if isinstance(v, list)}
    longer: dict[str, Any] = {k: _with_z(v) for k, v in listed.items() if k in PER_AXIS}
    return NetPlan(name=theirs.name, scale=theirs.scale, options={**theirs.options, **longer})


def _with_z(value: list[Any]) -> list[Any]:
    """Return an option that has a number for y and x, or such a list a stage, with one for z."""
    if all(isinstance(v, list) for v in value):
        return [_with_z(v) for v in value]
    return [value[0], *value]


def _as_they_learned(plan: Plan, given: Weights, settings: Mapping[str, Any]) -> Plan:
    """Return the plan with the normalisation and the voxels that the weights' maker planned, where they mean the same.

    Intensities that were clipped to fixed limits are those of Hounsfield units. Voxels are taken over by plans of
    patches, whose size does not follow from theirs.
    """
    plan = _normalised_as(plan, given.normalise, settings)
    spaced = given.spacing_mm is not None and given.dims == plan.data.dims == 3
    free = plan.data.sampling == "patches" and plan.data.spacing_mm is not None
    if spaced and free and "data.spacing_mm" not in settings and plan.data.spacing_mm != given.spacing_mm:
        why = "the voxels that the weights learned from"
        plan = override(plan, {"data.spacing_mm": list(given.spacing_mm or ())}, reason=why)
    return plan


def _normalised_as(plan: Plan, theirs: Sequence[Normalisation], settings: Mapping[str, Any]) -> Plan:
    """Return the plan with the normalisation that the weights learned with, where each channel's means the same here.

    What is frozen would say something else of the same image that is normalised otherwise.
    """
    now = plan.data.normalise
    same = len(theirs) == len(now) and all(
        _means_the_same(before, ours, plan.fingerprint.get("unit"))
        for before, ours in zip(theirs, now, strict=True)
    )
    if not theirs or not same or tuple(theirs) == now or "data.normalise" in settings:
        return plan
    entries = [n.model_dump() for n in theirs]
    return override(
        plan, {"data.normalise": entries}, reason="as for the images that the weights learned from"
    )


def _means_the_same(theirs: Normalisation, ours: Normalisation, unit: Any) -> bool:
    """Return whether a normalisation of others is for intensities like those that are planned for."""
    if theirs.method == "zscore":
        return True
    if theirs.low is not None and (theirs.low, theirs.high) != (0.0, 255.0):
        return bool(unit == "HU")
    return ours.method == "fixed" and (ours.low, ours.high) == (0.0, 255.0)


def _with_net(plan: Plan, theirs: NetPlan, task: Task, settings: Mapping[str, Any]) -> Plan:
    """Return the plan with that net, or with a dense one over it; unchanged where the task takes neither.

    Raises PlanError for a net that sees no images, which the task has no use for.
    """
    role = describe(theirs.name).get("ROLE")
    if role in task.roles:
        chosen = {"net.name": theirs.name, "net.scale": theirs.scale, "net.options": theirs.options}
        why = "that of the weights to begin from"
    elif role == "encoder" and "dense" in task.roles:
        options: dict[str, Any] = {"encoder": theirs.name, "encoder_scale": theirs.scale}
        options |= {"encoder_options": json.dumps(theirs.options)} if theirs.options else {}
        chosen = {"net.name": OVER, "net.scale": 1.0, "net.options": options}
        why = f"a U-Net over {theirs.name}, which the weights to begin from are of"
    elif role not in SEEING:
        raise PlanError(
            f"the weights that --init names are of a net that {task.name} has no use for",
            found=f"{theirs.name}, a net of role {role}",
            hint="weights of a net that sees images",
        )
    else:
        return plan
    if settings.get("net.name", chosen["net.name"]) != chosen["net.name"]:
        return plan
    net = plan.net.model_dump()
    other = {
        path: value
        for path, value in chosen.items()
        if net[path.removeprefix("net.")] != value and path not in settings
    }
    return override(plan, other, reason=why) if other else plan


def _normalised(plan: Plan, given: Weights) -> Plan:
    """Return the plan with 8-bit pictures normalised as those that the weights learned from.

    A grey picture takes the mean over their channels. Channels of another meaning, values on another scale, and those
    that are unlike, and so each normalised by themselves, keep what was planned.
    """
    now = plan.data.normalise
    if len(set(now)) > 1:
        return plan
    if any(n.method != "fixed" or (n.low, n.high) != (0.0, 255.0) for n in now):
        return plan
    if plan.data.channels == len(given.mean) and plan.data.names_of(0) in ((), given.channels):
        each = list(zip(given.mean, given.sd, strict=True))
    elif plan.data.channels == 1 and given.channels == COLOURS:
        each = [(fmean(given.mean), fmean(given.sd))]
    else:
        return plan
    entries = [{**n.model_dump(), "mean": m, "sd": s} for n, (m, s) in zip(now, each, strict=True)]
    return override(
        plan, {"data.normalise": entries}, reason="as for the pictures that the weights learned from"
    )
