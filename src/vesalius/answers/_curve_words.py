"""What a survival curve says, in columns and lines: risk, median, mean, and its chances after some years."""

from __future__ import annotations

import math
from collections.abc import Iterator

from vesalius.answers.drawing.lines import Line
from vesalius.core.answers.curve import Curve
from vesalius.core.horizons import named, years_until
from vesalius.core.palette import of_place


def columns(answer: Curve) -> dict[str, float | str | None]:
    """Return the figures of an answer by their columns, None where the curve does not tell of them.

    A column of one of several arms ends in its name. Means are restricted to the end of the curve, which their name
    says.
    """
    found: dict[str, float | str | None] = {}
    if answer.risk is not None:
        found["risk"] = answer.risk
    if answer.rank is not None:
        found["rank"] = answer.rank
    if len(answer.survival) > 1:
        found["arm_given"] = answer.given
    if not len(answer.times_days):
        return found
    end = float(answer.times_days[-1])
    for arm in answer.survival:
        tail = _tail(answer, arm)
        found[f"median_days{tail}"] = answer.median_days(arm)
        found[f"mean_days_until_{end:g}{tail}"] = round(answer.restricted_mean_days(arm=arm), 6)
        for day in ends(answer):
            found[f"survival_{_word(day)}{tail}"] = answer.at(day, arm)
            for cause, chance in incidences(answer, day, arm):
                found[f"{cause}_{_word(day)}{tail}"] = chance
    return found


def ends(answer: Curve) -> tuple[float, ...]:
    """Return the days after whole years that the curve tells of; its last day where it ends before a year."""
    last = float(answer.times_days[-1]) if len(answer.times_days) else 0.0
    return years_until(last) or ((last,) if last else ())


def incidences(answer: Curve, days: float, arm: str) -> Iterator[tuple[str, float]]:
    """Yield each cause, and how likely it has ended the time by a day."""
    for cause, curve in (answer.incidence or {}).get(arm, {}).items():
        place = int((answer.times_days <= days).sum()) - 1
        yield cause, float(curve[place]) if place >= 0 else 0.0


def lines(answer: Curve) -> list[Line]:
    """Return the risk beside that of the training cases, and a line an arm: its median, and its last whole year."""
    found = []
    if answer.risk is not None:
        found.append(Line("risk", risk_in_words(answer), share=answer.rank))
    if not len(answer.times_days):
        return found
    last = ends(answer)[-1:] or (float(answer.times_days[-1]),)
    for k, arm in enumerate(answer.survival):
        chance = answer.at(last[0], arm)
        text = (
            f"{median_in_words(answer, arm)}, {chance:.0%}{_band(answer, last[0], arm)} at {named(last[0])}"
        )
        several = len(answer.survival) > 1
        given = " (given)" if several and arm == answer.given else ""
        found.append(Line(f"{arm}{given}", text, share=chance, colour=of_place(k) if several else None))
        for cause, share in incidences(answer, last[0], arm):
            found.append(
                Line(cause if not several else f"{cause}, {arm}", f"{share:.0%} by {named(last[0])}")
            )
    return found


def risk_in_words(answer: Curve) -> str:
    """Return the risk of an answer: its log hazard over that of the average training case, and its rank among them."""
    if answer.risk is None:
        return "not told"
    text = f"hazard {math.exp(answer.risk):.3g} times that of the average training case"
    return text if answer.rank is None else f"{text}, higher than {answer.rank:.0%} of them"


def median_in_words(answer: Curve, arm: str) -> str:
    """Return the median of an arm, or that the curve does not fall to one half."""
    median = answer.median_days(arm)
    if median is not None:
        return f"median {median:g} days"
    return f"median not reached within {named(float(answer.times_days[-1]))}"


def _band(answer: Curve, days: float, arm: str) -> str:
    """Return the band at a day, as ` (40 % to 60 %)`; empty where the answer has none."""
    if answer.low is None or answer.high is None or arm not in answer.low or arm not in answer.high:
        return ""
    place = int((answer.times_days <= days).sum()) - 1
    return f" ({answer.low[arm][place]:.0%} to {answer.high[arm][place]:.0%})" if place >= 0 else ""


def _tail(answer: Curve, arm: str) -> str:
    return f"_{arm}" if len(answer.survival) > 1 else ""


def _word(days: float) -> str:
    return named(days).replace(" ", "_")
