"""What a plan takes over of weights to begin from: the net that they are of, and how pictures are normalised for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from vesalius.core.channels import COLOURS
from vesalius.core.errors import PlanError
from vesalius.core.plan import NetPlan, Plan, override
from vesalius.nets import describe
from vesalius.run.init import Start
from vesalius.tasks.contract import Task
from vesalius.weights.contract import Weights

OVER = "flexunet"  # the dense net over an encoder
SEEING = ("encoder", "dense")


def adopted(plan: Plan, start: Start, task: Task, settings: Mapping[str, Any]) -> Plan:
    """Return the plan with the net of the weights to begin from, and their normalisation; what the user set stays.

    Where nobody knows what net the weights are of, or the user named another, the plan's net stays. A task of dense
    nets takes an encoder's weights by a U-Net over that encoder.
    """
    theirs = (
        start.plan.net if start.plan is not None else start.given.net if start.given is not None else None
    )
    if theirs is not None:
        plan = _with_net(plan, theirs, task, settings)
    if start.given is not None and start.given.mean and "data.normalise" not in settings:
        plan = _normalised(plan, start.given)
    return plan


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
