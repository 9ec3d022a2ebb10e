"""The page of a model: its mean maps over a cohort, how faithful they are, how often withheld, and its cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vesalius.answers.drawing.panels import Cell, Table, figure, measured, share, spread
from vesalius.core import page
from vesalius.core.image import Array
from vesalius.core.scorecard import Interval
from vesalius.core.words import counted, listed
from vesalius.explain.mean_picture import drawn, slice_of
from vesalius.explain.overview import Asked, Method, Overview
from vesalius.explain.page import FIGURES

TEMPLATE = Path(__file__).parent / "overview.html.j2"
SHOWN = ("gain", "gain_by_chance", "gain_of_the_middle", "deletion", "insertion", "same_without_learning")
ENDS, MOST = 5, 500  # cases at either end, and in the table of all


def html(found: Overview, *, pages: Mapping[str, str], ground: Array | None) -> str:
    """Return the page of a model, one file that fetches nothing and links to the pages of its cases.

    `pages` are the file names of these by case id, `ground` the mean image `(Z, Y, X)` from 0 to 1 to draw maps on.
    """
    ranked = sorted(found.gains, key=lambda case: (-found.gains[case], case))
    about = {
        "model": found.model,
        "hash": found.bundle[:12],
        "cases": len(found.case_ids),
        "set_aside": found.set_aside,
        "asked": [_asked(one, ground) for one in found.asked],
        "verdict": _verdict(found),
        "holds": any((m.held.value or 0) > 0 for one in found.asked for m in one.methods),
        "grid": found.grid,
        "left_out": found.left_out,
        "patients_known": found.patients_known,
        "agreement": _agreement(found),
        "near": _near(found.in_common),
        "best": _links(ranked[:ENDS], found.gains, pages),
        "worst": _links(ranked[::-1][:ENDS], found.gains, pages) if len(ranked) > ENDS else [],
        "all": _links(found.case_ids[:MOST], found.gains, pages),
        "most": MOST,
    }
    return page.render(TEMPLATE, page=about)


def _verdict(found: Overview) -> str:
    """Return in a sentence which methods may be believed of this model, and which not."""
    names = list(dict.fromkeys(m.method for one in found.asked for m in one.methods))
    kept: dict[str, tuple[int, int]] = {}
    for name in names:
        each = [m for one in found.asked for m in one.methods if m.method == name]
        cases = sum(m.cases for m in each)
        kept[name] = (cases - sum(sum(m.withheld.values()) for m in each), cases)
    often = [f"{name} on {held} of {cases}" for name, (held, cases) in kept.items() if held]
    never = [name for name, (held, _) in kept.items() if not held]
    said = (
        f"Maps that may be shown: {listed(often, 12)}." if often else "No map of any method held on any case."
    )
    return said + (f" Never shown: {listed(never, 12)}." if never else "")


def _asked(one: Asked, ground: Array | None) -> dict[str, Any]:
    pictures = []
    for m in one.methods:
        mean = None if m.mean is None else m.mean.mean
        if m.mean is None or mean is None:
            continue
        facts = [counted(m.mean.fields, "map")]
        if m.mean.halves is not None:
            facts.append(f"two halves of the cases agree by {figure(m.mean.halves, 2)}")
        if m.mean.like_middle is not None:
            facts.append(f"like the middle of the image by {figure(m.mean.like_middle, 2)}")
        if mean.shape[0] > 1:
            facts.append(f"slice {slice_of(mean) + 1} of {mean.shape[0]}")
        pictures.append({"title": m.method, "text": "; ".join(facts), "src": drawn(mean, ground)})
    withheld = [(m.method, why, f"{n} of {m.cases}") for m in one.methods for why, n in m.withheld.items()]
    return {
        "words": one.words,
        "cases": one.cases,
        "pictures": pictures,
        "figures": _figures(one),
        "withheld": withheld,
        "beside": _beside(one),
    }


def _figures(one: Asked) -> Table:
    there = [n for n in SHOWN if any(n in m.figures for m in one.methods)]
    there += [n for n in FIGURES if n not in there and any(n in m.figures for m in one.methods)]
    rows = [
        (
            Cell(m.method, under=counted(m.cases, "case")),
            share(m.held),
            *(_figure(m, n) if n in m.figures else Cell("–") for n in there),
        )
        for m in one.methods
    ]
    return Table("Figures", ("method", "maps that hold", *(FIGURES.get(n, n) for n in there)), rows)


def _figure(method: Method, name: str) -> Cell:
    """Return a cell with the mean and its interval, and the median under it where that is another number."""
    digits = 0 if name in ("passes", "pieces") else 2
    mean, middle = (
        measured(method.figures[name], decimals=digits),
        measured(method.medians[name], decimals=digits),
    )
    if mean.text == middle.text:
        return mean
    return Cell(mean.text, mean.number, f"{mean.under}\nmedian {middle.text}".strip())


def _beside(one: Asked) -> Table:
    names = list(dict.fromkeys(n for m in one.methods for n in m.beside))
    rows = [
        (Cell(n), *(_sized(*m.beside[n]) if n in m.beside else Cell("–") for m in one.methods if m.beside))
        for n in names
    ]
    return Table("Beside the image", ("covariate", *(m.method for m in one.methods if m.beside)), rows)


def _sized(size: Interval, signed: Interval) -> Cell:
    sign = (
        f"with its sign {figure(signed.value)} ({spread(signed)})"
        if spread(signed)
        else f"with its sign {figure(signed.value)}"
    )
    return Cell(figure(size.value), size.value, f"{spread(size)}\n{sign}".strip())


def _agreement(found: Overview) -> Table:
    names = list(dict.fromkeys(n for pair in found.agreement for n in pair))
    pairs = {**found.agreement, **{(b, a): r for (a, b), r in found.agreement.items()}}

    def cell(a: str, b: str) -> Cell:
        if a == b:
            return Cell("1", 1.0)
        if (a, b) not in pairs:
            return Cell("–")
        one = measured(pairs[a, b], decimals=2)
        return Cell(one.text, one.number, f"{one.under}\n{counted(pairs[a, b].n, 'case')}")

    return Table("Agreement", ("method", *names), [(Cell(a), *(cell(a, b) for b in names)) for a in names])


def _near(held: Mapping[str, Any]) -> str:
    """Return how much near training cases have in common, in a sentence; empty where it is not known."""
    if not held:
        return ""
    near, every, gap = held["nearest"], held["any"], held["difference"]
    shares = held["what"] == "a share"

    def said(one: Mapping[str, Any]) -> str:
        text = f"{1 - one['value']:.0%}" if shares else f"{one['value']:.3g}"
        if one["low"] is None:
            return text
        low, high = (1 - one["high"], 1 - one["low"]) if shares else (one["low"], one["high"])
        return f"{text} ({low:.0%} to {high:.0%})" if shares else f"{text} ({low:.3g} to {high:.3g})"

    clear = gap["low"] is not None and gap["low"] > 0
    of = (
        f"Of the {held['count']} nearest {said(near)} share the target of a case, of all {said(every)}"
        if shares
        else f"The {held['count']} nearest differ from a case by {said(near)} {held['what']} on average, "
        f"all of them by {said(every)}"
    )
    more = "more than chance" if clear else "not clearly more than chance"
    return (
        f"{of}: {more}. Measured on {counted(held['n'], 'training case')} that the compared model never saw, "
        f"among {held['among']} others, with 95 % intervals over patients."
    )


def _links(
    cases: Sequence[str], gains: Mapping[str, float], pages: Mapping[str, str]
) -> list[dict[str, Any]]:
    return [
        {
            "case": case,
            "href": quote(pages[case]),
            "gain": figure(gains[case], 2) if case in gains else "–",
            "number": gains.get(case, ""),
        }
        for case in cases
    ]
