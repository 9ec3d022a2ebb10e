"""What a report says of boxes: curves, what is found by size, what a call means, and the table of all cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vesalius.answers import value as single
from vesalius.answers.contract import Panel
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing import finding
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.panels import Cell, Table, figure, measured, share
from vesalius.core.called import called_by
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.core.scorecard import Scorecard
from vesalius.metrics import Rows
from vesalius.metrics import boxes as judge

BANDS = 5  # of sizes, with as many true boxes each
FEWEST = 5  # true boxes of a band
DRAWN = 12  # labels at most of which curves are drawn
RECALLS = np.linspace(0, 1, 101).round(2).tolist()
NOTHING = Interval(None, None, None, 0)


def curves(rows: Rows) -> dict[str, Any]:
    """Return precision at each recall by label at the usual overlap, what is found by size, and the rules."""
    hit = rows.info["hit"]
    at = hit.at if hit.rule == "iou" and np.isclose(judge.IOU, hit.at).any() else 0.5
    drawn = dict(list(judge.precision_curve(rows, at).items())[:DRAWN])
    return {
        "precision_recall": {
            label: {"x": RECALLS, "y": [round(float(v), 4) for v in y], "iou": at}
            for label, y in drawn.items()
        },
        "sizes": {label: bands for label in drawn if len(bands := _bands(rows, label)) > 1},
        "rules": {"hit": asdict(hit), "most": rows.info["most"], "size_unit": rows.info["size_unit"]},
    }


def band(points: Sequence[Interval]) -> dict[str, list[float | None]]:
    """Return a curve's values and both ends of their intervals."""
    return {"y": [p.value for p in points], "low": [p.low for p in points], "high": [p.high for p in points]}


def facts(card: Scorecard) -> list[tuple[str, str]]:
    """Return when a box has found a true one, how many count, and what is called."""
    rules = card.curves.get("rules")
    if not rules:
        return []
    found = [
        (
            "a box has found something",
            f"where {judge.Hit(**rules['hit']).words}; of AP the overlap is in its name",
        ),
        ("boxes of a label and case that count", f"the {rules['most']} surest, as in COCO"),
    ]
    if not card.thresholds:
        found.append(("what is called", "every box of a label without a threshold"))
    return found


def figures(card: Scorecard) -> list[Figure]:
    """Return precision and recall, the FROC curves, and what is found by size."""
    made = []
    curved = card.curves.get("precision_recall")
    if curved:
        iou = next(iter(curved.values()))["iou"]
        name = f"ap{round(100 * iou)}"
        text = f"A box must overlap by {iou:g}. Beside the labels: average precision."
        svg = finding.precision_recall(curved, card.metrics, name, colours=card.colours)
        made.append(Figure(f"Precision and recall at IoU {iou:g}".replace("0.", "."), svg, text))
    froc = card.clinical.get("froc")
    if froc:
        text = (
            "How many true boxes are found where so many false ones an image are taken along; bands are 95 % "
        )
        text += "intervals over patients. Beside the labels: the mean at 1/8 to 8."
        made.append(Figure("FROC", finding.froc(froc, card.metrics, colours=card.colours), text))
    sizes = card.curves.get("sizes")
    if sizes:
        text = f"Up to {BANDS} bands of size with as many true boxes each; bars are 95 % intervals, each box alone."
        made.append(
            Figure(
                "Found by size",
                finding.by_size(sizes, card.curves["rules"]["size_unit"], colours=card.colours),
                text,
            )
        )
    return made


def clinic(card: Scorecard) -> list[Panel]:
    """Return what a call means, label by label, and how counts agree with the true ones."""
    nice = called_by(card.labels)
    there = [label for label in card.labels if f"sensitivity/{label}" in card.metrics]
    if not there:
        return []
    heads = (
        "label",
        "called from",
        "true ones that are found",
        "called ones that are right",
        "false an image",
    )
    rows = []
    for label in there:
        at = card.thresholds.get(label)
        found = [card.metrics.get(f"{name}/{label}", NOTHING) for name in ("sensitivity", "precision")]
        false = card.metrics.get(f"false_per_image/{label}", NOTHING)
        cells = (Cell(figure(at), at), *(share(one) for one in found), measured(false))
        rows.append((Cell(nice.get(label, label)), *cells))
    at_all = "Of all boxes, since no threshold is known from which they are called"
    fixed = "At the thresholds that were fixed on validation cases" if card.thresholds else at_all
    text = f"{fixed}; 95 % intervals over patients below."
    panels: list[Panel] = [Table("What is called", heads, rows, text)]
    counts: Mapping[str, Any] = card.clinical.get("counts", {})
    if not counts or not card.cases:
        return panels
    places = {label: k for k, label in enumerate(card.labels)}
    lines = {label: {name: Interval(**one) for name, one in found.items()} for label, found in counts.items()}
    drawn = {nice.get(label, label): (*_pairs(card, places[label]), lines[label]) for label in lines}
    says = f"Counts of called boxes. {single.AGREEMENT_SAYS}"
    panels.append(
        Figure("Agreement of counts (Bland–Altman)", draw.agreement(drawn, ""), says, wide=len(drawn) > 1)
    )
    limits = [(Cell(nice.get(n, n)), *single.limits_of_agreement(one, None)) for n, one in lines.items()]
    panels.append(
        Table(
            "Limits of agreement: count minus truth",
            ("label", *single.LIMITS),
            limits,
            "95 % intervals below.",
        )
    )
    return panels


def cases(rows: Rows, scores: Array) -> Table:
    """Return how many boxes of each case are true, called, found and false, the lowest F1 score first."""
    right, wrong, true = (x.sum(axis=1) for x in judge.of_cases(rows))
    called = [int(x.sum()) for x in rows["called"]]
    made = []
    for k in np.argsort(scores, kind="stable").tolist():
        numbers = (int(true[k]), called[k], int(right[k]), int(true[k] - right[k]), int(wrong[k]))
        cells = [Cell(str(n), n) for n in numbers]
        made.append((Cell(rows.case_ids[k]), *cells, Cell(figure(float(scores[k])), float(scores[k]))))
    heads = ("case", "true", "called", "found", "missed", "false", "F1")
    return Table(
        "All cases", heads, made, "Boxes of all labels; F1 is 1 where there is nothing and nothing is called."
    )


def _bands(rows: Rows, label: str) -> list[dict[str, float]]:
    """Return bands of the longest side of a label's true boxes, with how many there are and how many are found."""
    place = rows.info["labels"].index(label)
    pairs = [
        (size[own == place], found[own == place])
        for size, own, found in zip(rows["size"], rows["size_label"], rows["found"], strict=True)
    ]
    sizes, found = (np.concatenate([np.zeros(0), *part]) for part in zip(*pairs, strict=True))
    bands = min(BANDS, len(sizes) // FEWEST)
    if bands < 2 or np.ptp(sizes) == 0:
        return []
    edges = np.unique(np.quantile(sizes, np.linspace(0, 1, bands + 1)))
    which = np.clip(np.searchsorted(edges, sizes, side="right") - 1, 0, len(edges) - 2)
    return [
        {
            "low": float(edges[k]), "high": float(edges[k + 1]), "n": int((which == k).sum()),
            "found": int(found[which == k].sum()),
        }
        for k in range(len(edges) - 1)
        if (which == k).any()
    ]  # fmt: skip


def _pairs(card: Scorecard, place: int) -> tuple[list[float], list[float]]:
    """Return the counts of a label and the true ones, of the cases in which these are known."""
    held = [(c["counts"][place], float(c["true"][place])) for c in card.cases if not c["crowds"][place]]
    return [x for x, _ in held], [y for _, y in held]
