"""Precision: bfloat16 where a timed step is quicker in it, and single precision where it is not."""

from __future__ import annotations

from collections.abc import Callable

from vesalius.core.errors import BudgetError
from vesalius.core.plan import USER, Plan, override
from vesalius.core.plan import steps_fixed as are_fixed
from vesalius.learn.recipes import contract as recipes

QUICKER = 0.9  # of a step's time in single precision, that one in bfloat16 may take to be worth its rounding
WATCHED, LEAST_S, MOST_S = 0.01, 0.3, 2.0  # of the time that is left, for each of the two

TimedFor = Callable[[Plan, float], float]


def precise(plan: Plan, step_s: TimedFor, *, left_s: float | None) -> Plan:
    """Return the plan in single precision, unless a step is at least a tenth quicker in bfloat16; both are timed.

    That the machine multiplies in bfloat16 says little of a net: convolutions of single channels, of which MobileNetV2
    is made, are slower in it on processors that have the instructions. `step_s` gives the seconds of a step of a plan,
    measured for so long; `left_s` is what is left for training, None without a limit.

    What a user set stays, and so does all of a plan whose number of steps is fixed, so that it is the same run again.
    Where a step in single precision does not fit into memory, bfloat16 it is.
    """
    train = plan.train
    settled = plan.reasons.get("train.precision") == USER or are_fixed(plan)
    if train.precision != "bf16" or settled or recipes.get(train.recipe).steps is not None:
        return plan
    watch_s = MOST_S if left_s is None else min(MOST_S, max(LEAST_S, WATCHED * left_s))
    low = step_s(plan, watch_s)
    single = override(plan, {"train.precision": "fp32"}, reason="timed")
    try:
        full = step_s(single, watch_s)
    except BudgetError:
        why = f"{low:.3g} s a step; one in fp32 does not fit into memory"
        return override(plan, {"train.precision": "bf16"}, reason=why)
    if low <= QUICKER * full:
        why = f"{low:.3g} s a step, against {full:.3g} s in fp32, as measured"
        return override(plan, {"train.precision": "bf16"}, reason=why)
    why = f"{full:.3g} s a step, against {low:.3g} s in bf16, as measured: bf16 has to save a tenth"
    return override(plan, {"train.precision": "fp32"}, reason=why)
