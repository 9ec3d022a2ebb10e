"""The pages of a change: one patient's with both visits side by side, and one with a row a patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.answers.drawing.panels import Cell, Table
from vesalius.core import page as pages
from vesalius.core.called import called_by, written
from vesalius.core.growth import UNTOLD, Growth, Part, Reach
from vesalius.core.words import counted, listed
from vesalius.run.change import surfaces
from vesalius.run.change.pictures import pictured
from vesalius.run.change.result import TOLD, Change, Changes, counted_days, interval, number, signed

_HERE = Path(__file__).parent
PARTS = 20  # rows of parts on the page
WORDS = {
    UNTOLD: "no change that could be told",
    "cannot be told": "cannot be told",
    "absent": "at neither visit",
    "same": "the same image",
}


def page(change: Change) -> str:
    """Return one self-contained page of one patient's two visits."""
    growths, parts = change.growths, () if change.changed is None else change.changed.parts
    moved = () if change.changed is None else change.changed.moved
    earlier, later = change.visits
    return pages.render(
        _HERE / "change.html.j2",
        title="Change between two visits",
        subtitle=f"{earlier.case} and {later.case}"
        + (f", {counted_days(change.days)} apart" if change.days else ""),
        chips=_chips(change),
        verdict=change.verdict,
        tone=_tone(change),
        notes=change.notes,
        growths=_rows(_ranked(change), change.days),
        absent=listed(called_by(g.name for g in growths if g.verdict == "absent").values(), 12),
        rated=bool(change.days) and any(g.reach is not None or g.change for g in growths),
        words=[] if change.changed is None else change.changed.words,
        intervals=_ways(growths),
        parts=_parts(parts),
        surfaces=surfaces.table_of(moved),
        surface_pictures=surfaces.pictured(moved),
        pictures=pictured(change),
        facts=_facts(change),
        how=_registered(change),
    )


def overview(changes: Changes, places: Mapping[int, str]) -> str:
    """Return the page of several patients: a row each, with a link to their own page where `places` has one."""
    told = sum(bool(one.told) for one in changes.changes)
    names = called_by(dict.fromkeys(g.name for one in changes.changes for g in one.growths))
    shown = [
        {
            "patient": one.patient or one.visits[1].case,
            "place": places.get(k, ""),
            "days": number(one.days),
            "registered": one.registration.by if one.registration.fits else "not registered",
            "growths": [_row(g, one.days, names) for g in one.told],
            "others": sum(g.verdict != "absent" for g in one.growths) - len(one.told),
            "verdict": one.verdict,
            "tone": "told" if one.told else "",
        }
        for k, one in enumerate(changes.changes)
    ]
    return pages.render(
        _HERE / "changes.html.j2",
        title="Change between visits",
        subtitle=f"{counted(len(changes.changes), 'patient')}, each with two visits",
        verdict=f"{counted(told, 'patient')} of {len(changes.changes)} with a change that can be told.",
        patients=shown,
        set_aside=changes.set_aside,
    )


def _ranked(change: Change) -> list[Growth]:
    """Return what was there at either visit: first what changed tellingly, then the others in their order."""
    others = [g for g in change.growths if g.verdict != "absent" and g not in change.told]
    return [*change.told, *others]


def _chips(change: Change) -> list[str]:
    dates = [None if v.date is None else v.date.isoformat() for v in change.visits]
    found = [f"{d} and {e}" for d, e in [tuple(dates)] if d and e]
    if change.days:
        found.append(f"{counted_days(change.days)} ({change.apart.by})")
    fits = change.registration.fits
    found.append(f"registered: {change.registration.by}" if fits else "not registered")
    return [*found, f"model {change.by or 'unknown'}"]


def _tone(change: Change) -> str:
    if any(g.verdict == "cannot be told" for g in change.growths) or not change.registration.fits:
        return "warn"
    return "" if change.told else "open"


def _rows(growths: Sequence[Growth], days: float | None) -> list[dict[str, Any]]:
    names = called_by(g.name for g in growths)
    return [_row(g, days, names) for g in growths]


def _row(growth: Growth, days: float | None, names: Mapping[str, str]) -> dict[str, Any]:
    unit = f" {growth.unit}" if growth.unit else ""
    rates, shares = growth.rates(days), growth.percent_rates(days)
    double = growth.doubling_days(days)
    called = names.get(growth.name, written(growth.name))
    return {
        "name": called,
        "quantity": "" if growth.quantity == growth.name else growth.quantity,
        "colour": growth.colour,
        "earlier": f"{number(growth.earlier)}{unit}",
        "later": f"{number(growth.later)}{unit}",
        "change": f"{signed(growth.change)}{unit}",
        "interval": interval(growth),
        "percent": "–" if growth.percent is None else f"{signed(growth.percent)} %",
        "percent_interval": _percent_interval(growth),
        "month": f"{signed(rates['month'])}{unit} a month" if rates else "",
        "day": f"{signed(rates['day'])}{unit} a day" if rates else "",
        "year": f"{signed(rates['year'])}{unit}" if rates else "–",
        "percent_year": f"{signed(shares['year'])} % a year" if shares else "",
        "doubling": "" if double is None else f"doubles in {number(double)} days",
        "told": WORDS.get(growth.verdict, growth.verdict),
        "tone": "told" if growth.verdict in TOLD else "open",
        "fault": growth.fault,
        "whole": "" if growth.whole is None
        else f"of what both visits show; all of it {number(growth.whole[0])} and {number(growth.whole[1])}{unit}",
        "least": "" if growth.reach is None or growth.reach.least is None
        else f"from {number(growth.reach.least)}{unit} on",
        "bar": _bar(growth),
    }  # fmt: skip


def _percent_interval(growth: Growth) -> str:
    if growth.percent is None or growth.reach is None:
        return ""
    low, high = growth.reach.percent
    return "no bounds" if low is None and high is None else f"{interval(growth, percent=True)} %"


def _bar(growth: Growth) -> dict[str, float] | None:
    """Return where a change and its bounds lie about 0, in percent of the bar's width."""
    reach = growth.reach
    if reach is None or reach.low is None or reach.high is None:
        return None
    most = max(abs(reach.low), abs(reach.high), 1e-12)
    low, at, high = (50 + 47 * v / most for v in (reach.low, growth.change, reach.high))
    return {"low": round(low, 2), "width": round(max(high - low, 0.4), 2), "at": round(at - 0.5, 2)}


def _ways(growths: Sequence[Growth]) -> list[str]:
    """Return by what the intervals are known, a sentence each."""
    held: dict[str, Reach] = {}
    for growth in growths:
        if growth.reach is not None:
            held.setdefault(growth.reach.says, growth.reach)
    return [f"Intervals of {100 * one.share:.0f} % {one.says}." for one in held.values()]


def _parts(parts: Sequence[Part]) -> Table | None:
    if not parts:
        return None
    names = called_by(dict.fromkeys(p.label for p in parts))
    parts = sorted(parts, key=lambda p: -max(p.earlier, p.later))
    rows = [
        (
            Cell(names[p.label], None, f"part {k}"),
            Cell(
                p.became, None, "" if p.count in ((1, 1), (0, 1), (1, 0)) else f"{p.count[0]} to {p.count[1]}"
            ),
            Cell(f"{number(p.earlier)} {p.unit}", p.earlier),
            Cell(f"{number(p.later)} {p.unit}", p.later),
            Cell(f"{signed(p.later - p.earlier)} {p.unit}", p.later - p.earlier),
        )
        for k, p in enumerate(parts[:PARTS], start=1)
    ]
    said = "By where they lie once the visits are registered, and by measured sizes alone: the test split says nothing "
    said += "of single parts, so that larger and smaller are no findings."
    beyond = len(parts) - PARTS
    more = f" {counted(beyond, 'more is', 'more are')} in change.json." if beyond > 0 else ""
    return Table("Single parts", ("part", "became", "earlier", "later", "change"), rows, said + more)


def _registered(change: Change) -> list[tuple[str, str]]:
    """Return how the visits were registered and how well that fits, as `(name, text)`."""
    found, told = change.registration, change.registered or {}
    near = (
        "–"
        if found.before is None or found.after is None
        else f"{found.before:.3f} before, {found.after:.3f} after"
    )
    pairs = [
        ("way", WAYS.get(found.by, found.by)),
        ("fits", "yes" if found.fits else f"no: {found.why}"),
        ("mutual information, normalised", near),
    ]
    if found.overlap is not None:
        moved, turned = float(told.get("moved", 0.0)), found.turned_deg
        pairs += [
            ("moved and turned", f"{moved:.1f} {found.unit}, {turned:.1f}°"),
            ("shown by both", f"{100 * found.overlap:.0f} % of the later image"),
        ]
    if found.apart is not None:
        pairs.append(("both directions disagree by", f"{found.apart:.1f} {found.unit}"))
    return pairs


WAYS = {
    "own": "Vesalius's own: rigid, by mutual information",
    "itk": "SimpleITK: rigid, by mutual information",
    "frame of reference": "none needed: both share a frame of reference",
    "the same image": "none needed: both are the same image",
}


def _facts(change: Change) -> list[tuple[str, str]]:
    earlier, later = change.visits
    dates = [str(v.date) if v.date else "no date" for v in (earlier, later)]
    return [
        ("earlier visit", f"{earlier.case}, {dates[0]}"),
        ("later visit", f"{later.case}, {dates[1]}"),
        ("days between", f"{change.days:g} ({change.apart.by})" if change.days else "not known"),
        ("model", f"{change.by}, {change.bundle[:16]}"),
        ("answers", f"of kind {type(change.answers[1]).__name__}"),
    ]
