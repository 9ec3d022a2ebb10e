"""The page of a consensus: what must be read first, each expert's skill, agreement, and where experts differ most."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.answers.drawing.panels import Cell, Table, figure, spread
from vesalius.answers.drawing.pictures import picture
from vesalius.answers.drawing.slices import look
from vesalius.consensus.majority import TIED
from vesalius.core import page as pages
from vesalius.core.called import called_by
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.core.palette import colour_of
from vesalius.core.words import counted
from vesalius.prepare.case import load_reference
from vesalius.run.consensus.joining import Found, disputed
from vesalius.run.consensus.reading import Said

TEMPLATE = Path(__file__).parent / "consensus.html.j2"
SHOWN = 6  # cases with a picture
LISTED = 20  # cases of classes
FIGURES = ("sensitivity", "specificity", "precision", "dice")
WAYS = {
    "staple": "STAPLE, a label at a time",
    "staple-together": "STAPLE, all labels at once",
    "majority": "majority of the experts",
    "dawid-skene": "Dawid and Skene's EM",
    "crowdlab": "experts and a model's out-of-fold probabilities (CROWDLAB)",
}


def page(cohort: Cohort, said: Said, found: Found, tied: int) -> str:
    """Return one self-contained page."""
    apart = disputed(said)
    order = [int(k) for k in np.argsort(-apart, kind="stable") if apart[k] > 0]
    return pages.render(
        TEMPLATE,
        name=cohort.root.resolve().name,
        way=WAYS.get(found.method, found.method),
        chips=[
            counted(len(said.patterns.experts), "expert"),
            counted(len(said.cases), "case"),
            counted(len(set(said.patterns.patients)), "patient"),
        ],
        headline=_headline(said, tied, len(order)),
        notes=[*said.notes, *found.notes],
        skill=_skill(said, found),
        pairs=_pairs(said, found),
        all=[(_called(k), f"{figure(v.value)} ({spread(v)})") for k, v in found.agreement.all.items()],
        pictures=[_pictured(said, found, k, float(apart[k])) for k in order[:SHOWN]] if said.drawn else [],
        disputed=None if said.drawn else _disputed(said, found, order[:LISTED], apart),
        more=max(0, len(order) - (SHOWN if said.drawn else LISTED)),
        masks=said.drawn,
    )


def _headline(said: Said, tied: int, differ: int) -> str:
    text = f"The experts differ in {counted(differ, 'case')} of {len(said.cases)}"
    if said.drawn:
        return text + "."
    return (
        f"{text}; {counted(tied, 'case is', 'cases are')} tied, without a consensus."
        if tied
        else f"{text}; none is tied."
    )


def _called(name: str) -> str:
    return {"fleiss_kappa": "Fleiss' kappa of all experts"}.get(name, f"Dice of two experts, {name}")


def _cell(found: Interval) -> Cell:
    return Cell(figure(found.value), found.value, spread(found) or found.reason)


def _skill(said: Said, found: Found) -> Table:
    names = called_by(x for s in found.skills for x in s.labels)
    heads = ["expert", "cases", *([] if said.drawn else ["accuracy"]), "label", *FIGURES]
    rows = [
        [
            Cell(one.expert),
            Cell(str(one.cases), float(one.cases)),
            *([] if said.drawn else [_cell(one.accuracy)]),
            Cell(names[label]),
            *(_cell(figures[name]) for name in FIGURES),
        ]
        for one in found.skills
        for label, figures in one.labels.items()
    ]
    region = (
        " Specificity is among as much background as the label fills, whatever the image's size."
        if said.drawn
        else ""
    )
    text = "Each against the truth behind what all experts say, estimated with their skill at once; 95 % intervals are "
    return Table(
        "Skill", heads, rows, text + "over patients, and in each the truth is estimated anew." + region
    )


def _pairs(said: Said, found: Found) -> Table:
    experts = said.patterns.experts
    figures = list(next(iter(found.agreement.pairs.values())))
    many = len(found.together) > 1
    errors = [f"errors' correlation{f', {label}' if label and many else ''}" for label in found.together]
    rows = []
    for (i, j), own in found.agreement.pairs.items():
        cells = [Cell(f"{experts[i]} and {experts[j]}"), *(_cell(own[name]) for name in figures)]
        for one in found.together.values():
            pair = next(p for p in one.pairs if p.experts == (i, j))
            under = "count as one" if pair.joined else ""
            cells.append(
                Cell(figure(pair.correlation), pair.correlation, under, "warn" if pair.joined else "")
            )
        rows.append(cells)
    called = [f"Dice, {n}" if said.drawn else n for n in figures]
    text = (
        "How far every two agree, whatever is true; and how far their errors go together, given the truth: "
    )
    return Table(
        "Agreement", ["experts", *called, *errors], rows, text + "near 0 where they err by themselves."
    )


def _disputed(said: Said, found: Found, order: list[int], apart: Array) -> Table:
    patterns = said.patterns
    rows = []
    for k in order:
        at = int(patterns.at[k])
        row = k if found.by_case else at
        place, p = int(found.joined.label[row]), found.joined.p[row]
        calls = [patterns.calls[at, e] for e in range(len(patterns.experts))]
        rows.append(
            [
                Cell(said.cases[k].id),
                Cell(
                    "tied" if place == TIED else patterns.labels[place],
                    None,
                    "",
                    "warn" if place == TIED else "",
                ),
                Cell(figure(float(p.max())), float(p.max())),
                *(Cell("not seen" if c < 0 else patterns.labels[c]) for c in calls),
            ]
        )
    heads = ["case", "consensus", "probability", *patterns.experts]
    return Table("Most disputed cases", heads, rows)


def _pictured(said: Said, found: Found, k: int, apart: float) -> dict[str, Any]:
    """Return a case for the page: the consensus, and over the image how far experts differ at each place."""
    case = said.cases[k]
    image = load_reference(case)
    at = said.coded(case)
    values = np.array([0, *(x.value for x in said.labels)], np.int32)
    label = found.joined.label[at]
    mask = replace(image, array=np.where(label == TIED, 0, values[label])[None], channels=(), unit=None)
    calls, seen = said.patterns.calls, said.patterns.seen
    top = np.where(seen, calls, -1).max(1, initial=-1)
    low = np.where(seen, calls, np.iinfo(np.int16).max).min(1, initial=np.iinfo(np.int16).max)
    differ = (top > low)[at]
    z = int(differ.sum((1, 2)).argmax())
    layer = np.zeros((*differ.shape[1:], 4))
    layer[..., :3] = (0.9, 0.25, 0.1)
    layer[..., 3] = 0.55 * differ[z]
    said_of = f"experts differ on {apart:.0%} of what any of them marks"
    one = look(image, case.id, caption=said_of, answer=mask, z=z)
    two = replace(look(image, case.id, z=z), layer=layer)
    shown_values = {x.name: x.value for x in said.labels}
    colours = {x.name: colour_of(x, n) for n, x in enumerate(said.labels)}
    first, second = picture(one, shown_values, colours), picture(two, {}, {})
    views = [
        {"what": "consensus", "src": first["views"][0]["src"]},
        {"what": "where experts differ", "src": second["views"][0]["src"]},
    ]
    return {**first, "views": views}
