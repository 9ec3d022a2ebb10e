"""Presets: one file = one of them; what is other in a plan for somebody in a hurry, or with a night to spare.

A preset's file has the literal `NAMES = {"quick": "one line"}` and one function, `choose(plan) -> Draft`: the values
that it changes in the plan that the rules made, each with its reason. What the user sets wins over it, and so does the
clock: nothing that a preset chooses keeps a run from ending within its time limit.
"""

from __future__ import annotations

from vesalius.core import registry
from vesalius.core.plan import USER, Plan, override
from vesalius.plan.draft import Draft

KIND = "plan.presets"

__all__ = ["KIND", "applied"]


def applied(name: str, plan: Plan) -> Plan:
    """Return the plan with what the preset of that name chooses, each value with its reason. Raises UnknownName.

    What the user set stays.
    """
    chosen: Draft = registry.lookup(KIND, name).choose(plan)
    for path, value in chosen.values.items():
        if plan.reasons.get(path) != USER:
            plan = override(plan, {path: value}, reason=f"preset {name}: {chosen.reasons[path]}")
    reasons = {**plan.reasons, "preset": registry.names(KIND)[name]}
    return plan.model_copy(update={"preset": name, "reasons": reasons})
