"""How sure and what is promised, as a report shows it: the risk–coverage curve, and promises beside what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.panels import Cell, Table, figure, measured, percent, share
from vesalius.answers.drawing.selective import risk_coverage
from vesalius.core.called import called_by
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.core.words import counted, listed
from vesalius.evaluate.selective import SHARES

GAIN = "better than a random order by"
CURVE_SAYS = (
    "The least sure answers are left to a person first. A line that falls to the left says that the model knows where "
    "it errs; one that is level with the dashes, that how sure it is says nothing."
)


def panels(card: Scorecard) -> list[Figure | Table]:
    """Return the drawings and tables of what a card knows of sureness and promises; none of one that knows nothing."""
    return [*_selective(card), *_promise(card), *_withheld(card)]


def lines(card: Scorecard) -> list[str]:
    """Return the same for a terminal, a sentence each."""
    said = []
    if card.selective:
        found = card.selective["metrics"]
        gain = Interval(**found["gain"])
        said.append(
            f"risk–coverage: {GAIN} {gain}, area {Interval(**found['aurc'])} ({card.selective['error']})"
        )
    for lead, shares, _ in _rows_of(card.promise):
        for name, one in shares.items():
            where = ": ".join(part for part in (lead, name) if part)
            below = ", below by more than chance" if one["below"] and not card.promise["mean"] else ""
            below = ", above by more than chance" if one["below"] and card.promise["mean"] else below
            said.append(f"{_what(card)}, {where}: {_interval(one)} of n = {one['n']}{below}")
    if card.withheld:
        gone, left = card.withheld["withheld"], card.withheld["wrong_of_answered"]
        said.append(
            f"withheld: {_interval(gone)}; wrong of those answered: {_interval(left)} of n = {left['n']}"
        )
    return said


def _selective(card: Scorecard) -> list[Figure | Table]:
    if not card.selective:
        return []
    found = {name: Interval(**one) for name, one in card.selective["metrics"].items()}
    curve, error = card.selective["curve"], card.selective["error"]
    area, gain = found["aurc"], found["gain"]
    every = (area.value or 0.0) + (gain.value or 0.0)
    svg = risk_coverage(curve["x"], curve["y"], curve["best"], every=every, error=error)
    rows = [
        (Cell("all cases"), Cell(figure(every), every)),
        *(
            (Cell(f"the surest {percent(part).replace('.0', '')}"), measured(found[f"risk@{part:g}"]))
            for part in sorted(SHARES, reverse=True)
        ),
        (Cell("area under the curve"), measured(area)),
        (Cell(GAIN), measured(gain)),
    ]
    why = "An interval of the last row that lies above 0 says that the order is better than chance."
    return [
        Figure("Risk and coverage", svg, CURVE_SAYS),
        Table("What the least sure answers cost", ("answered", f"{error}, 95 % interval below"), rows, why),
    ]


def _promise(card: Scorecard) -> list[Table]:
    section = card.promise
    if not section:
        return []
    nice = called_by(card.labels)
    rows = []
    for lead, shares, own in _rows_of(section):
        for name, one in shares.items():
            rows.append(
                (
                    Cell(lead),
                    Cell(nice.get(name, name) or "–"),
                    share(Interval(one["value"], one["low"], one["high"], one["n"])),
                    Cell(str(one["n"]), one["n"]),
                    _verdict(section, one, own=own),
                )
            )
    promised = 1 - section["coverage"] if section["mean"] else section["coverage"]
    limit = f"at most {percent(promised)}" if section["mean"] else f"at least {percent(promised)}"
    head = "missed" if section["mean"] else "kept"
    on = section["on"]
    text = (
        f"Promised: {limit}, as {section['says']}; calibrated on {counted(on['cases'], 'case')}, {on['source']}. "
        f"{_sizes(section)}"
    )
    if gone := section.get("groups_withheld"):
        text += (
            f" {counted(gone, 'group')} withheld: there, or by subtraction, figures would be of fewer than "
        )
        text += f"{counted(section['smallest'], 'patient')}."
    title = f"The promise: {head} on these cases"
    return [
        Table(
            title, ("cases", "label", f"{head}, 95 % interval below", "n", "verdict"), rows, text, wide=True
        )
    ]


def _withheld(card: Scorecard) -> list[Table]:
    if not card.withheld:
        return []
    rule = card.withheld["rule"]
    names = (("withheld", "withheld, of all"), ("wrong_of_answered", "wrong, of those answered"))
    rows = []
    for key, words in (*names, ("wrong_of_held_back", "wrong, of those withheld")):
        one = card.withheld[key]
        rows.append(
            (
                Cell(words),
                share(Interval(one["value"], one["low"], one["high"], one["n"])),
                Cell(str(one["n"])),
            )
        )
    promised = ""
    if "most" in rule:
        most, sure = percent(rule["most"]), percent(rule["confidence"])
        promised = f"Promised: at most {most} wrong of those answered, with {sure} confidence."
    return [
        Table("Answers that are withheld", ("answers", "share, 95 % interval below", "n"), rows, promised)
    ]


def _rows_of(section: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], bool]]:
    """Return the shares of all cases and of each group, led by its name; and whether that has thresholds of its own."""
    if not section:
        return []
    found = [("all", section["overall"], True)]
    for name, about in section.get("groups", {}).items():
        found.append((f"{section['by']} {name}", about["shares"], about["own"]))
    return found


def _verdict(section: Mapping[str, Any], one: Mapping[str, Any], *, own: bool) -> Cell:
    if not own:
        return Cell("not promised of this group by itself", 0.5)
    if one["below"]:
        return Cell(
            "above by more than chance" if section["mean"] else "below by more than chance", 0.0, tone="bad"
        )
    return Cell("as promised, within chance", 1.0, tone="good")


def _what(card: Scorecard) -> str:
    promised = card.promise["coverage"]
    if card.promise["mean"]:
        return f"missed of the promised {percent(1 - promised)} at most"
    return f"covered of the promised {percent(promised)}"


def _interval(one: Mapping[str, Any]) -> str:
    if one["low"] is None:
        return percent(one["value"])
    return f"{percent(one['value'])} ({percent(one['low'])} to {percent(one['high'])})"


def _sizes(section: Mapping[str, Any]) -> str:
    """Return how much the promises say, in a sentence."""
    sizes = section["sizes"]
    if not sizes["n"]:
        return "Their sizes have no one unit."
    if sizes["mean"] is None:
        return "None of them has a bound."
    if section["mean"]:
        return f"The outer mask is {sizes['mean']:.3g} times as large as the mask on average."
    if "counts" in sizes:
        many = listed(f"{n} with {size}" for size, n in sizes["counts"].items())
        return f"Labels in a set: {sizes['mean']:.3g} on average ({many})."
    endless = f"; {sizes['unbounded']} without a bound" if sizes["unbounded"] else ""
    return f"The width is {sizes['mean']:.4g} on average{endless}."
