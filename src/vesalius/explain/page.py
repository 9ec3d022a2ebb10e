"""The page of one case's explanation: the maps side by side, their figures, and which methods do not hold."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image as Pil

from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay_png
from vesalius.answers.drawing.panels import Cell, Table
from vesalius.answers.drawing.pictures import address
from vesalius.core import page
from vesalius.core.words import counted, listed
from vesalius.explain.explanation import Explained, Explanation
from vesalius.explain.nearest import GONE, Nearest, thumbnail
from vesalius.explain.part_page import failing, of_parts

TEMPLATE = Path(__file__).parent / "explanation.html.j2"
FIGURES = {
    "gain": "gain",
    "deletion": "deletion",
    "insertion": "insertion",
    "gain_by_chance": "gain by chance",
    "gain_of_the_middle": "gain of the middle",
    "same_without_learning": "without learning",
    "same_with_other_labels": "other labels",
    "infidelity": "infidelity",
    "stability": "stability",
    "same_from_another_seed": "another seed",
    "r2": "R² of the line",
    "left_over": "left over",
    "passes": "passes",
}


def html(found: Explanation) -> str:
    """Return the page of one explanation, one file that fetches nothing."""
    held = found.holds
    about = {
        "case": found.answer.case_id or "this case",
        "asked": found.asked.words,
        "model": found.answer.by,
        "tried": len(found.explained) + len(found.parted) + len(found.refused),
        "shown": [*held, *(p for p in found.parted if p.fails is None)],
        "answer": _answer(found),
        "verdict": _verdict(found),
        "parts": of_parts(found),
        "failing": [(e.method, e.fails) for e in found.explained if e.fails]
        + failing(found)
        + [(name, why) for name, why in found.refused.items()],
        "pictures": _pictures(found),
        "figures": _figures(found.explained),
        "beside": _beside(held),
        "agreement": _agreement(found),
        "near": near_of(found.nearest, found.asked.words),
        "pointing": _pointing(found),
        "notes": found.notes,
    }
    return page.render(TEMPLATE, page=about)


def near_of(found: Nearest | str | None, words: str) -> dict[str, Any] | None:
    """Return what a page shows of the nearest training cases; None where they were not asked for."""
    if found is None:
        return None
    if isinstance(found, str):
        return {"why_not": found[:1].upper() + found[1:]}
    cases = [
        {**row, "src": thumbnail(entry), "target": row["target"] or "no target"}
        for row, entry in zip(found.rows(), found.entries, strict=True)
    ]
    about = {"made_of": found.made_of, "said": found.said(words), "same": found.same, "gone": GONE}
    return {"cases": cases, **about}


def _answer(found: Explanation) -> list[tuple[str, object]]:
    """Return the first columns of the answer; of one that is withheld the reason alone."""
    if found.answer.withheld is not None:
        return [("the answer is withheld", found.answer.withheld)]
    weighed = found.answer.weighed
    columns = contract.columns(replace(found.answer, weighed=None))
    shown: list[tuple[str, object]] = [
        (k, f"{v:.4g}" if isinstance(v, float) else v) for k, v in columns.items()
    ][:6]
    return (
        shown
        if weighed is None or not weighed.lacking
        else [*shown, ("not given", listed(weighed.lacking, 8))]
    )


def _verdict(found: Explanation) -> str:
    """Return in a sentence what may be believed."""
    parted = [p.method for p in found.parted if p.fails is None]
    if not found.holds and parted:
        return f"No map holds; bars of whole parts, by {listed(parted, 8)}, held what they were measured against."
    if not found.holds:
        return "No map holds: none of the methods shows what this answer rests on. That is a finding, too."
    names = listed([e.method for e in found.holds], 8)
    best = max(found.holds, key=lambda e: e.map.figures.get("gain", float("-inf")))
    gain = best.map.figures.get("gain")
    if gain is None:
        return f"{counted(len(found.holds), 'map')}, not measured: {names}."
    chance = best.map.figures["gain_by_chance"]
    return (
        f"{counted(len(found.holds), 'map')} held what they were measured against: {names}. "
        f"The order of {best.method} counts most (gain {gain:.2f}, by chance {chance:.2f})."
    )


def _pictures(found: Explanation) -> list[dict[str, str]]:
    """Return the image with the answer, unless that is withheld, and with each map that holds."""
    shown = []
    if found.answer.withheld is None and found.reference.array.size > 1:
        shown.append(("the answer", "", overlay_png(found.reference, found.answer)))
    for one in found.holds:
        gain = one.map.figures.get("gain")
        text = ", ".join(filter(None, (one.of, "" if gain is None else f"gain {gain:.2f}")))
        shown.append((one.method, text, overlay_png(one.on or found.reference, one.map)))
    return [
        {
            "title": title,
            "text": text,
            "alt": f"{found.answer.case_id}: {title}",
            "src": address(Pil.open(io.BytesIO(png)).convert("RGB")),
        }
        for title, text, png in shown
    ]


def _figures(explained: tuple[Explained, ...]) -> Table:
    there = [name for name in FIGURES if any(name in e.map.figures for e in explained)]
    rows = [
        (
            Cell(e.method, under="not shown" if e.fails else ""),
            *(_number(e.map.figures.get(name)) for name in there),
        )
        for e in explained
    ]
    return Table("Figures", ("method", *(FIGURES[name] for name in there)), rows)


def _beside(held: tuple[Explained, ...]) -> Table:
    names = list(dict.fromkeys(n for e in held for n in e.map.beside))
    rows = [(Cell(n), *(_number(e.map.beside.get(n)) for e in held)) for n in names]
    return Table("Beside the image", ("covariate", *(e.method for e in held)), rows)


def _agreement(found: Explanation) -> Table:
    names = [e.method for e in found.holds]
    if len(names) < 2:
        return Table("Agreement", (), [])
    pairs: dict[Any, float] = {**found.agreement, **{(b, a): r for (a, b), r in found.agreement.items()}}
    rows = [(Cell(a), *(_number(1.0 if a == b else pairs.get((a, b))) for b in names)) for a in names]
    return Table("Agreement", ("method", *names), rows)


def _pointing(found: Explanation) -> Table:
    """Return where each map that holds points, for each part of what is drawn on the image."""
    heads = ("drawn", "method", "points inside", "share inside", "by chance", "share of the middle")
    rows = [
        (Cell(p.part), Cell(e.method), *map(_number, (p.hit, p.share, p.by_chance, p.middle_share)))
        for e in found.holds
        for p in e.pointed
    ]
    return Table("Pointing", heads, sorted(rows, key=lambda row: row[0].text))


def _number(value: float | None) -> Cell:
    return (
        Cell("–") if value is None else Cell(f"{value:.2f}" if abs(value) < 1000 else f"{value:.0f}", value)
    )
