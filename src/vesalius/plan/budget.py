"""The number of steps, from the time there is: real steps of the candidate are timed, nothing is looked up."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from vesalius.core.errors import BudgetError
from vesalius.core.plan import USER, Plan, override, steps_fixed
from vesalius.core.words import counted
from vesalius.nets import describe

MINIMUM_STEPS = 20
FEW_STEPS = 400
FEW_SEEN, FEW_EPOCHS = 8_000, 16
NARROWEST = 0.25
TimeStep = Callable[[Plan], float]


@dataclass(frozen=True, slots=True)
class Budget:
    """What was decided: seconds a step, steps a member, and seconds that training will take."""

    step_s: float
    steps: int
    training_s: float


def seconds(text: str | float) -> float:
    """Return seconds from '90', '90s', '10m', '1.5h', '1h30m'. Raises BudgetError."""
    if isinstance(text, int | float):
        value = float(text)
    else:
        value, number = 0.0, ""
        units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
        for ch in text.strip().lower():
            if ch.isdigit() or ch == ".":
                number += ch
            elif ch in units and number:
                value, number = value + _number(number, text) * units[ch], ""
            else:
                raise BudgetError(f"'{text}' is not a time", hint="10m, 90s, 1h30m")
        if number:
            value += _number(number, text)
    if not math.isfinite(value) or value <= 0:
        raise BudgetError(f"'{text}' is not a time", hint="10m, 90s, 1h30m")
    return value


def _number(digits: str, text: str) -> float:
    try:
        return float(digits)
    except ValueError as error:
        raise BudgetError(f"'{text}' is not a time", hint="10m, 90s, 1h30m") from error


def as_words(members: int) -> str:
    """Return how many members, in words: 1 member, 3 members."""
    return counted(members, "member")


def enough_steps(plan: Plan, cases: int) -> int:
    """Steps of one member beyond which more of them gain little: epochs for whole images, patches otherwise.

    The plan may ask for a share of them, or for more (`train.enough`).
    """
    if plan.data.sampling == "whole":
        epochs = 120 if cases < 2000 else 30 if cases < 20000 else 10
        return max(MINIMUM_STEPS, math.ceil(plan.train.enough * epochs * cases / plan.train.batch))
    return max(MINIMUM_STEPS, math.ceil(plan.train.enough * 6000))


def most_steps(plan: Plan, cases: int) -> int:
    """Return the most steps of one member, where there is time for them: twice what is enough still gains a little."""
    return 2 * enough_steps(plan, cases)


def few_steps(plan: Plan, cases: int) -> int:
    """Return the steps of one member below which another member is not worth its time: a third of what is enough.

    Of whole images it is less where a member has seen FEW_SEEN of them, and each of them in FEW_EPOCHS epochs.
    """
    few = enough_steps(plan, cases) // 3
    if plan.data.sampling == "whole":
        few = min(few, max(FEW_SEEN, FEW_EPOCHS * cases) // plan.train.batch)
    return min(enough_steps(plan, cases), max(10 * MINIMUM_STEPS, few))


def _scaled(plan: Plan, available_s: float, few: int, time_step: TimeStep) -> tuple[Plan, float]:
    """Return a narrower net where the planned one would get too few steps to learn; and the seconds of its step."""
    step_s = time_step(plan)
    own = plan.reasons.get("net.scale") == USER or steps_fixed(plan)
    own = own or plan.net.init is not None  # a narrower net has no place for the weights to begin from
    least = describe(plan.net.name).get("SMALLEST", 0.0)
    while (
        not own and available_s / step_s < few and plan.net.scale > NARROWEST and plan.net.scale / 2 >= least
    ):
        narrower = override(
            plan,
            {"net.scale": plan.net.scale / 2},
            reason=f"a wider net ({plan.net.scale:g}) would get {max(available_s, 0) / step_s:.0f} steps only",
        )
        if plan.reasons.get("train.lr") != USER:
            narrower = override(
                narrower, {"train.lr": plan.train.lr * 2}, reason="a narrower net takes larger steps"
            )
        took = time_step(narrower)
        if took > 0.8 * step_s:  # the cost is elsewhere: width buys nothing
            break
        plan, step_s = narrower, took
    return plan, step_s


def too_short(
    members: int,
    available_s: float,
    step_s: float,
    *,
    validation_s: float = 0.0,
    limit_s: float | None = None,
) -> BudgetError:
    """Return the refusal of a time limit with no time for MINIMUM_STEPS.

    Where `limit_s` is told, it names one that would.
    """
    need = (MINIMUM_STEPS * step_s + validation_s) * members
    would = "a longer --time-limit"
    if limit_s is not None:
        would = f"--time-limit {written(1.3 * (limit_s + need - available_s))}"
    return BudgetError(
        f"the time limit is too short for the minimum of {MINIMUM_STEPS} steps: "
        f"{max(available_s, 0):.0f} s are left for training, {math.ceil(need)} s are needed",
        hint=f"{would}, or a smaller net (--set net.scale=0.25)",
    )


def used_up(needed_s: float, limit_s: float, why: str) -> BudgetError:
    """Return the refusal of a time limit before a step is timed: `needed_s` go elsewhere.

    It names a limit that would do.
    """
    return BudgetError(
        f"the time limit is too short for the minimum of {MINIMUM_STEPS} steps: {why}",
        found=f"{needed_s:.0f} s are needed before and after training, of {limit_s:g} s",
        hint=f"--time-limit {written(1.5 * needed_s + 5)}",
    )


def written(time_s: float) -> str:
    """Return seconds as a time limit is written, rounded up: 25s, 2m, 3h."""
    if time_s <= 90:
        return f"{5 * math.ceil(time_s / 5)}s"
    return f"{math.ceil(time_s / 60)}m" if time_s <= 5400 else f"{math.ceil(time_s / 3600)}h"


def budget(
    plan: Plan,
    *,
    cases: int,
    available_s: float | None,
    time_step: TimeStep,
    validation_s: float = 0.0,
    limit_s: float | None = None,
) -> tuple[Plan, Budget]:
    """Fix the number of steps: what the time allows, at most twice what is enough, unless the user set it.

    `cases` are one member's training cases; `available_s` is for all members' training together; validation is
    taken off it. Fewer members are trained where each would get too few steps. Raises BudgetError where not
    even MINIMUM_STEPS fit; it names a limit that would do where `limit_s`, all of the time, is told.
    """
    wanted = enough_steps(plan, cases)
    if available_s is not None:
        plan, step_s = _scaled(plan, available_s - validation_s, min(wanted // 3, FEW_STEPS), time_step)
    else:
        step_s = time_step(plan)
    if steps_fixed(plan):
        return plan, Budget(step_s, plan.train.steps, step_s * plan.train.steps * plan.train.members)
    if available_s is None:
        reason = f"enough for {cases} cases; no time limit was given (a step takes {step_s:.3f} s)"
        plan = override(plan, {"train.steps": wanted}, reason=reason)
        return plan, Budget(step_s, wanted, step_s * wanted * plan.train.members)
    members = plan.train.members
    fixed = plan.reasons.get("train.members") == USER
    while True:
        steps = int((available_s / members - validation_s) / step_s)
        if fixed or members == 1 or steps >= few_steps(plan, cases):
            break
        members -= 1
    if steps < MINIMUM_STEPS:
        raise too_short(members, available_s, step_s, validation_s=validation_s, limit_s=limit_s)
    most = most_steps(plan, cases)
    reason = f"{available_s:.0f} s for {as_words(members)} at {step_s:.3f} s a step, as measured"
    if steps >= most:
        steps, reason = most, f"more than enough for {cases} cases; the time would allow still more"
    settings: dict[str, object] = {"train.steps": steps}
    plan = override(plan, settings, reason=reason)
    if members != plan.train.members:
        plan = override(
            plan, {"train.members": members}, reason="fewer members, so that each gets enough steps"
        )
    return plan, Budget(step_s, steps, step_s * steps * members)
