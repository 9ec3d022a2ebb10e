"""The page about one patient: what is expected under each arm, and before it what argues against believing it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius.answers.drawing import expected as draw
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.panels import Cell, Table, figure, percent
from vesalius.benefit.words import NO_REASON
from vesalius.core import page as pages
from vesalius.core.horizons import named
from vesalius.core.words import counted
from vesalius.run.advice.result import RESEARCH, Advice, Contribution, Evidence, Further, points

_HERE = Path(__file__).parent
FACTORS = 30  # rows of what counts


def page(advice: Advice) -> str:
    """Return one self-contained page."""
    told = advice.told
    return pages.render(
        _HERE / "advice.html.j2",
        title="What each treatment is foretold to bring",
        subtitle=f"{advice.case}: {told.called} at {advice.when}",
        chips=[f"model {advice.by}", f"arms: {told.treatment.assignment}", "for research"],
        research=RESEARCH,
        verdict=advice.verdict,
        against=advice.against,
        curves=_curves(advice),
        expected=_expected(advice),
        gains=_gains(advice),
        evidence=list(_evidence(advice)),
        further=[_event(one) for one in advice.further],
        like=_like(advice),
        nearest=advice.like.nearest,
        factors=_factors(advice),
        facts=_facts(advice),
    )


def _curves(advice: Advice) -> Figure:
    told = advice.told
    named = [replace(one, arm=told.treatment.named(one.arm)) for one in told.expected]
    svg = draw.under_arms(named, told.treatment.horizon_days, f"{told.called}, share")
    band = (
        ""
        if told.share is None
        else f" Bands show how far the members of the model differ, scaled to {told.share:.0%}: "
        "true curves lie outside them more often than that."
    )
    text = f"Foretold for this patient under each arm; the dashed line is {advice.when}.{band}"
    return Figure("Curves", svg, text)


def _expected(advice: Advice) -> Table:
    named = advice.told.treatment.named
    rows = [
        (
            Cell(named(one.arm)),
            Cell(percent(one.at[0]), one.at[0], _bounds(one.at)),
            Cell(f"{one.mean_days:.0f} days", one.mean_days),
            Cell(
                "not reached" if one.median_days is None else f"{one.median_days:.0f} days", one.median_days
            ),
        )
        for one in advice.told.expected
    ]
    heads = ("arm", f"{advice.told.called} at {advice.when}", f"mean until {advice.when}", "median")
    return Table("What is expected", heads, rows)


def _gains(advice: Advice) -> Table:
    named = advice.told.treatment.named
    rows = [
        (
            Cell(f"{named(g.arm)} less {named(g.control)}"),
            Cell(f"{points(g.survival[0])} points", g.survival[0], _in_points(g.survival)),
            Cell(f"{_signed(g.days[0])} days", g.days[0], _in_days(g.days)),
        )
        for g in advice.told.gains
    ]
    heads = ("", f"{advice.told.called} at {advice.when}", f"time without the event until {advice.when}")
    text = "Points are percentage points; above 0 the arm named first is foretold to bring more. " + NO_REASON
    return Table("What an arm changes", heads, rows, text)


def _event(one: Further) -> Table:
    """Return what is expected of a further event under each arm, and what patients who took no part say of it."""
    told = one.told
    when, gains = named(told.treatment.horizon_days), {g.arm: g for g in told.gains}
    rows = []
    for each in told.expected:
        gain = gains.get(each.arm)
        beside = Cell("–")
        if gain is not None:
            beside = Cell(f"{points(gain.survival[0])} points", gain.survival[0], _in_points(gain.survival))
        rows.append(
            (
                Cell(told.treatment.named(each.arm)),
                Cell(percent(each.at[0]), each.at[0], _bounds(each.at)),
                beside,
            )
        )
    heads = ("arm", f"{told.called} at {when}", "beside the first arm")
    title = f"{told.called[:1].upper()}{told.called[1:]}"
    return Table(title, heads, rows, " ".join(e.verdict for e in one.evidence))


def _evidence(advice: Advice) -> Iterator[dict[str, Any]]:
    """Yield of each arm what patients who took no part say, as a verdict and a table."""
    for one in advice.evidence:
        arm = advice.told.treatment.named(one.arm)
        yield {"arm": arm, "verdict": one.verdict, "table": _found(one, arm) if one.figures else None}


def _found(one: Evidence, arm: str) -> Table:
    figures = one.figures
    rows = [
        (Cell("all of them, doubly robust"), *_estimate(figures["effect"])),
        (Cell("all of them, arms as they are"), *_estimate(figures["naive"])),
    ]
    if one.fifth is not None:
        place, many, mean, found = one.fifth
        like = f"those to whom a like benefit was foretold (group {place} of {many}, mean {points(mean)})"
        rows.append((Cell(like), *_estimate(found)))
    text = f"{counted(int(figures['n']), 'patient')} of the test split, who took no part in training."
    heads = ("patients", f"survival, {arm} beside the first arm", "95 %")
    return Table(f"What was found of {arm}", heads, rows, text)


def _like(advice: Advice) -> Table | None:
    like = advice.like
    if not like.arms:
        return None
    rows = [
        (
            Cell(advice.told.treatment.named(arm)),
            Cell(str(one.n), one.n),
            Cell(str(one.events), one.events),
            Cell(percent(one.survival), one.survival, "too few followed" if one.survival is None else ""),
        )
        for arm, one in like.arms.items()
    ]
    group = "All training cases" if like.group in ("", "all") else f"Training cases with {like.group}"
    text = f"{group}: a group by what decided on the arm, as they were, whatever decided on who had what."
    return Table(
        "Who is like this patient",
        ("arm", "patients", "with the event", f"survival at {advice.when}"),
        rows,
        text,
    )


def _factors(advice: Advice) -> Table:
    arms = [g.arm for g in advice.told.gains]
    rows = [_factor(c, arms) for c in advice.contributions[:FACTORS]]
    told, last = advice.told, []
    if advice.whole:
        last = [
            (
                Cell("together"),
                Cell(""),
                Cell(_times(told.risk), told.risk),
                *(Cell(points(g.survival[0]), g.survival[0]) for g in told.gains),
            )
        ]
    how = (
        "Fair shares (Shapley) beside the average training case; logarithms of hazards and points add up."
        if advice.whole
        else "Each factor left out by itself, so that they do not add up."
    )
    named = told.treatment.named
    gained = [f"gain by {named(a)}, points" for a in arms]
    heads = ("what is known", "value", f"hazard under {named(told.expected[0].arm)}", *gained)
    return Table("What it rests on", heads, [*rows, *last], how)


def _factor(one: Contribution, arms: list[str]) -> tuple[Cell, ...]:
    return (
        Cell(one.name),
        Cell(one.value),
        Cell(_times(one.risk), one.risk),
        *(Cell(points(one.gains[a]), one.gains[a]) for a in arms),
    )


def _facts(advice: Advice) -> list[tuple[str, str]]:
    about = advice.told.treatment
    rank = (
        "not known" if advice.told.rank is None else f"higher than {advice.told.rank:.0%} of training cases"
    )
    return [
        ("patient", advice.case),
        (
            "risk under the first arm",
            f"{_times(advice.told.risk)} of the average training case's hazard; {rank}",
        ),
        ("arms by the column", f"{about.column} ({about.assignment})"),
        ("known beside", ", ".join(about.known) or "nothing"),
        ("horizon", f"{advice.when} (day {about.horizon_days:g})"),
        ("model", f"{advice.by}, {advice.bundle[:16]}"),
    ]


def _times(risk: float | None) -> str:
    return "–" if risk is None else f"× {figure(math.exp(risk), 2)}"


def _bounds(told: tuple[float, float | None, float | None]) -> str:
    return "" if told[1] is None or told[2] is None else f"{percent(told[1])} to {percent(told[2])}"


def _in_points(told: tuple[float, float | None, float | None]) -> str:
    return (
        "no bounds"
        if told[1] is None or told[2] is None
        else f"members {points(told[1])} to {points(told[2])}"
    )


def _in_days(told: tuple[float, float | None, float | None]) -> str:
    return (
        "no bounds"
        if told[1] is None or told[2] is None
        else f"members {_signed(told[1])} to {_signed(told[2])}"
    )


def _signed(days: float) -> str:
    return f"{days:+.0f}".replace("-", "−")


def _estimate(e: Any) -> tuple[Cell, Cell]:
    return Cell(f"{points(e['value'])} points", e["value"]), Cell(
        f"{points(e['low'])} to {points(e['high'])}"
    )
