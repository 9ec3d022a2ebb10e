"""Images whose body is cut by one edge while the opposite side is empty, where others lie within the field."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding, Place
from vesalius.reliability.looks._robust import LEAST, worst_first
from vesalius.reliability.looks.contract import Seen, Sight

ORDER = 65
BODY = 0.15  # of the span from the 1st to the 99th percentile: from there it is body
LINE = 0.02  # of a row or column that is body: from there it is not empty
CUT = 0.1  # of an edge that is body: from there it cuts
MORE, FAR = (
    0.2,
    4.0,
)  # of the side, and robust standard deviations: by so much more the opposite side is empty
SIDES = ("top", "bottom", "left", "right")
Margins = tuple[tuple[float, ...], tuple[float, ...]]


def measure(sight: Sight) -> Margins | None:
    """Return the share of each edge that is body, and the share of the field from it on that is empty, as SIDES."""
    low, high = sight.span
    if high <= low:
        return None
    body = (sight.planes > low + BODY * (high - low)).mean(axis=0)  # (Y, X)
    rows, columns = body.mean(axis=1) > LINE, body.mean(axis=0) > LINE
    if not rows.any() or not columns.any():
        return None
    edges = (body[0].mean(), body[-1].mean(), body[:, 0].mean(), body[:, -1].mean())
    empty = (rows.argmax() / len(rows), rows[::-1].argmax() / len(rows),
             columns.argmax() / len(columns), columns[::-1].argmax() / len(columns))  # fmt: skip
    return tuple(float(e) for e in edges), tuple(float(e) for e in empty)


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the images that touch an edge and leave the opposite side emptier than others do."""
    kept: dict[str, Margins] = seen.kept("truncated")
    if len(kept) < LEAST:
        return
    every = np.array([empty for _, empty in kept.values()])
    usual = np.median(every, axis=0)
    least = np.maximum(MORE, FAR * 1.4826 * np.median(np.abs(every - usual), axis=0))
    found: dict[str, float] = {}
    places: dict[str, Place] = {}
    for case, (edges, empty) in kept.items():
        for side, name in enumerate(SIDES):
            opposite = side ^ 1
            excess = empty[opposite] - usual[opposite]
            if edges[side] > CUT and excess > least[opposite] and excess > found.get(case, 0.0):
                found[case], places[case] = excess, _strip(name)
    cases = worst_first(found)
    if cases:
        text = f"{counted(len(cases), 'image is', 'images are')} cut by an edge, and empty on the other side"
        hint = "look at them: the field was placed beside the body, or a crop went wrong"
        evidence = (
            f"{min(cases.values()):.0%} of the field and more is emptier there than in the median image"
        )
        yield Finding("warning", "truncated", tuple(cases), text, hint, evidence, cases, places)


def _strip(side: str) -> Place:
    strips: dict[str, Place] = {
        "top": (0.0, 0.0, 0.08, 1.0),
        "bottom": (0.92, 0.0, 1.0, 1.0),
        "left": (0.0, 0.0, 1.0, 0.08),
        "right": (0.0, 0.92, 1.0, 1.0),
    }
    return strips[side]
