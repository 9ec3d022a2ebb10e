"""Limits as what planning goes by: the time that is left, and a batch that fits into the memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from vesalius.core.errors import PlanError, VesaliusError, out_of_memory
from vesalius.core.plan import USER, Plan, override
from vesalius.plan import machine as machines
from vesalius.plan.energy import full_power_w
from vesalius.run.limits.allowance import memory_written
from vesalius.run.limits.watch import current

_UNSHORTENED: ContextVar[bool] = ContextVar("unshortened", default=False)

TRIED = 0.8  # of what is left, which a trial may take: what comes later adds to it


def time_within(own_s: float | None, began: float) -> float | None:
    """Return the time limit, counted from `began`, of work that plans for it; None where there is none.

    It is the least of its own, of the time that is left of the limits around it, and of the time in which this machine
    uses up the energy that is left of them with all its cores at work. Since it is planned for, the work is ended only
    a little later than that.
    """
    if _UNSHORTENED.get():
        return own_s
    watch = current()
    left = None if watch is None else watch.left_s(full_power_w(cores=machines.measure().cores))
    if watch is None or left is None:
        return own_s
    watch.planned = True
    around = max(0.0, left) + time.monotonic() - began
    return around if own_s is None else min(own_s, around)


@contextmanager
def unshortened() -> Iterator[None]:
    """Let no work inside this block be made smaller for the time that is left of the limits around it.

    It is ended where they are reached, and goes on later: for fits that are compared, and must have equal steps.
    """
    token = _UNSHORTENED.set(True)
    try:
        yield
    finally:
        _UNSHORTENED.reset(token)


def assert_fits(plan: Plan) -> None:
    """Raise PlanError where not even a batch's input and its copies fit into memory, before any is made.

    Where a limit of memory was declared, the batch may yet become smaller.
    """
    batch = 1 if _shrinks(plan) else plan.train.batch
    needed = 8 * 4 * batch * plan.data.inputs * math.prod(plan.data.size)  # bytes, as floats
    there = machines.measure().memory
    if needed > there:
        raise PlanError(
            "a batch does not fit into memory",
            found=f"{batch} of {'×'.join(map(str, plan.data.size))} where {there / 2**30:.2g} GiB are free",
            hint="a smaller train.batch or data.size",
        )


def _shrinks(plan: Plan) -> bool:
    return machines.declared_memory() is not None and plan.reasons.get("train.batch") != USER


@contextmanager
def _trial() -> Iterator[None]:
    """Let what is tried here be refused memory without the work being ended for it."""
    watch = current()
    if watch is None or watch.cap is None:
        yield
        return
    watch.trying += 1
    watch.cap.follow(share=TRIED)
    try:
        yield
    finally:
        watch.cap.follow()
        watch.trying -= 1


def batch_that_fits(plan: Plan, step: Callable[[Plan], object]) -> Plan:
    """Return the plan, changed so that a real step of it fits into the declared memory; as it is without one.

    `step` makes one of a plan. What changes nothing of what is learned comes first: blocks that are computed again,
    then the batch in ever more parts as well, which each take another pass forward. Only then is the batch halved. What
    the user set is left as it is, and so is what not even a batch of one would mend: then training says so. The
    learning rate stays, as for any batch of the rules.
    """
    there = machines.declared_memory()
    if there is None or _fits(plan, step):
        return plan
    left = f"the declared memory, of which {memory_written(there)} were left"
    plan, fits = _thriftier(plan, step, f"a step does not fit otherwise into {left}")
    if fits or not _shrinks(plan):
        return plan
    planned = plan.train.batch
    while plan.train.batch > 1:
        half = plan.train.batch // 2
        plan = override(plan, {"train.batch": half}, reason=f"{planned} do not fit into {left}")
        if plan.train.accumulate > half and plan.reasons.get("train.accumulate") != USER:
            plan = override(plan, {"train.accumulate": half}, reason="a part for each case of a batch")
        if _fits(plan, step):
            break
    return plan


def _thriftier(plan: Plan, step: Callable[[Plan], object], why: str) -> tuple[Plan, bool]:
    """Return the plan with the same batch whose step fits, and whether there is one; else the one that needs least."""
    if plan.reasons.get("train.recompute") != USER and not plan.train.recompute:
        again = override(plan, {"train.recompute": True}, reason=why)
        fits = _fits(again, step, asked=False)
        if fits:
            return again, True
        plan = plan if fits is None else again
    if plan.reasons.get("train.accumulate") == USER:
        return plan, False
    for parts in _doubled(plan.train.accumulate, plan.train.batch):
        cut = override(plan, {"train.accumulate": parts}, reason=why)
        fits = _fits(cut, step, asked=False)
        if fits:
            return cut, True
        if fits is None:
            break
        plan = cut
    return plan, False


def _doubled(parts: int, most: int) -> Iterator[int]:
    """Yield twice so many parts, four times as many and so on, up to `most`."""
    while 2 * parts <= most:
        parts *= 2
        yield parts


def _fits(plan: Plan, step: Callable[[Plan], object], *, asked: bool = True) -> bool | None:
    """Return whether a real step of a plan fits; None of one that nobody `asked` for and that its net cannot take."""
    try:
        with _trial():
            step(plan)
    except (VesaliusError, MemoryError, RuntimeError) as error:
        if isinstance(error, PlanError) and not asked:
            return None
        if not out_of_memory(error):
            raise
        return False
    return True
