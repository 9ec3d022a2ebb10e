"""What a scaling comes to in plain sentences: what twice as much of a thing brings, where it flattens, what pays."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.core.words import counted
from vesalius.evaluate.comparison import number
from vesalius.run.scaling.study import LABELS, LOSS, PARAMETERS, Check, Study
from vesalius.scaling.forecast import BY_LAW, CARRIED, Curve
from vesalius.scaling.optimum import Optimum, flattens, worth
from vesalius.scaling.trend import WHY

NAMES = {LABELS: "labels", PARAMETERS: "parameters"}
FAR_WORDS = "; that is more than four times what was measured, and not to be relied on"


def sentences(studies: Sequence[Study], best: Optimum | None, *, batch: int) -> tuple[str, ...]:
    """Return what people need to decide, of the loss first and then of the error."""
    found: list[str] = []
    for study in studies:
        found += [_doubled(study, thing) for thing in (LABELS, PARAMETERS)]
        if study.measure == LOSS:
            found += [text for thing in (LABELS, PARAMETERS) if (text := _flat(study, thing))]
            found += [text for text in (_cheaper(study),) if text]
        found += [checked(study.check, study.measure)]
    if best is not None:
        found.append(_optimal(best, batch))
    return tuple(found)


def reason(one: Curve, thing: str) -> str:
    """Return why a curve has no law, in a sentence; empty where it has one."""
    return f"no law along {thing}: {WHY[one.why]}" if one.why else ""


def _doubled(study: Study, thing: str) -> str:
    """Return what twice as much of a thing brings, with its interval, and what a fit would come to."""
    one, before, ahead = study.ahead(thing, 2.0)
    words, measure = NAMES[thing], study.measure
    span = "" if ahead.low is None else f" [{number(ahead.low)}, {number(ahead.high)}]"
    if ahead.by == CARRIED:
        why = reason(one, words)
        return f"{measure}, {words} ×2: {why}; the last value is carried forward: {number(ahead.value)}{span}"
    value, low, high = one.gain(before, ahead.x)
    brought = f"brings {number(value)} [{number(low)}, {number(high)}] less {measure}"
    return f"The next factor of two of {words} {brought}; a fit comes to {number(ahead.value)}{span}."


def _flat(study: Study, thing: str) -> str:
    one, before, ahead = study.ahead(thing, 2.0)
    if ahead.by != BY_LAW:
        return ""
    place = (1 if thing == LABELS else 0) if len(before) > 1 else 0
    found = flattens(one, before, place)
    if found is None:
        return f"Along {NAMES[thing]} it does not flatten within a factor of 64."
    amount, far = found
    return (
        f"It flattens at {amount:.3g} {NAMES[thing]}: from there on a doubling brings less than 1 % of the loss"
        + (FAR_WORDS if far else "")
        + "."
    )


def _cheaper(study: Study) -> str:
    """Return what of the other thing is worth twice the labels."""
    joint = study.joint
    if joint is None or joint.law is None:
        return ""
    labels = study.corner[1]
    times = worth(joint, study.corner, 1, 0)
    if times is None:
        return (
            f"Label more rather than train larger: no net up to 16 times as large brings what {labels:.0f} more "
            "labels do."
        )
    return (
        f"{labels:.0f} more labels bring as much as a net {times:.2g} times as large, which computes about as many "
        "times more in each step: weigh the cost of the one against the other."
    )


def checked(check: Check | None, measure: str) -> str:
    """Return how the forecast of fits that took no part did, in a sentence."""
    if check is None:
        return f"{measure}: too little is left to check the forecast by fits that take no part in it."
    f = check.forecast
    span = "without an interval" if f.low is None else f"[{number(f.low)}, {number(f.high)}]"
    return (
        f"Check, {measure}: without the largest net and the full cohort {number(f.value)} {span} is forecast for them "
        f"({'by a law' if f.by == BY_LAW else 'carried forward'}), and {number(check.measured)} was measured, "
        f"{'within' if check.held else 'outside'} the interval; the last value carried forward says "
        f"{number(check.carried)}."
    )


def _optimal(best: Optimum, batch: int) -> str:
    edge = (
        f"; it is the {best.at_edge} that was looked at, so the best may lie beyond" if best.at_edge else ""
    )
    return (
        f"{best.budget:.3g} floating-point operations a fit are best spent on {best.parameters:.3g} parameters "
        f"[{best.low:.3g}, {best.high:.3g}] for {counted(round(best.steps), 'step')} of {batch}: "
        f"loss {number(best.value)}{edge}."
    )
