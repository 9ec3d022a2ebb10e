"""What each source adds, as a report and a terminal show it: a table of arms, and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.answers.drawing.panels import Cell, Table, measured
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted
from vesalius.evaluate.gains_shown import called, gain_cell, interval_of, signed

SAYS = (
    "Each row compares all sources together with some of them on the same cases, paired by patient: the gain is all "
    "together less this choice, so that one above 0 (of an error: below 0) says that what is left out helps. A source "
    "is left out as it was in training with missing ones; cases that lack it say nothing of it and are not in its rows."
)


def panels(card: Scorecard) -> list[Table]:
    """Return the tables of what each source adds; none of a card that does not know."""
    found = card.sources
    if not found:
        return []
    if "skipped" in found:
        return [Table("What each source adds", ("not measured",), [(Cell(str(found["skipped"])),)])]
    names = _metrics(found)
    heads = ["sources", "n"]
    for name in names:
        heads += [called(card, name), "gain of all together"]
    rows = []
    for arm in found["arms"]:
        row = [Cell(_arm(arm)), Cell(str(arm["n"]), arm["n"])]
        if "reason" in arm:
            rows.append((*row, Cell(str(arm["reason"])), *[Cell("–")] * (2 * len(names) - 1)))
            continue
        for name in names:
            row += [
                measured(interval_of(arm["figures"].get(name))),
                gain_cell(card, name, arm["differences"].get(name)),
            ]
        rows.append(tuple(row))
    return [Table("What each source adds", heads, rows, SAYS, wide=True)]


def lines(card: Scorecard) -> list[str]:
    """Return the same for a terminal, a sentence an arm, by the first figure."""
    found = card.sources
    if not found:
        return []
    if "skipped" in found:
        return [f"what each source adds was not measured: {found['skipped']}"]
    names = _metrics(found)
    said = []
    for arm in found["arms"]:
        if "reason" in arm or not names:
            said.append(f"{_arm(arm)}: {arm.get('reason', 'no figure')}")
            continue
        name = names[0]
        one, gain = interval_of(arm["figures"].get(name)), arm["differences"].get(name)
        text = f"{_arm(arm)}: {called(card, name)} {one}"
        if gain is not None and gain["difference"] is not None:
            text += f"; all together {signed(gain)}"
        said.append(f"{text}, n = {arm['n']}")
    return said


def _arm(arm: Mapping[str, Any]) -> str:
    """Return what an arm is, in words."""
    if arm["kind"] == "plain":
        return "a plain model of the covariates"
    return f"without {arm['source']}" if arm["kind"] == "without" else f"{arm['source']} alone"


def _metrics(found: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(n for arm in found["arms"] for n in arm.get("figures", {})))[:2]


def about(card: Scorecard) -> str:
    """Return in a few words what was compared; empty where nothing was."""
    found = card.sources
    if not found or "skipped" in found:
        return ""
    return f"{counted(len(found['names']), 'source')}: {', '.join(found['names'])}"
