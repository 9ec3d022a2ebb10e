"""What each source adds, as a report and a terminal show it: a table of arms, and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.answers import contract
from vesalius.answers.drawing.panels import Cell, Table, decimals_of, figure, measured
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.core.words import counted
from vesalius.evaluate.paired import directed

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
        heads += [_called(card, name), "gain of all together"]
    rows = []
    for arm in found["arms"]:
        row = [Cell(_arm(arm)), Cell(str(arm["n"]), arm["n"])]
        if "reason" in arm:
            rows.append((*row, Cell(str(arm["reason"])), *[Cell("–")] * (2 * len(names) - 1)))
            continue
        for name in names:
            row += [
                measured(_interval(arm["figures"].get(name))),
                _gain(card, name, arm["differences"].get(name)),
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
        one, gain = _interval(arm["figures"].get(name)), arm["differences"].get(name)
        text = f"{_arm(arm)}: {_called(card, name)} {one}"
        if gain is not None and gain["difference"] is not None:
            text += f"; all together {_signed(gain)}"
        said.append(f"{text}, n = {arm['n']}")
    return said


def _arm(arm: Mapping[str, Any]) -> str:
    """Return what an arm is, in words."""
    if arm["kind"] == "plain":
        return "a plain model of the covariates"
    return f"without {arm['source']}" if arm["kind"] == "without" else f"{arm['source']} alone"


def _metrics(found: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(n for arm in found["arms"] for n in arm.get("figures", {})))[:2]


def _called(card: Scorecard, metric: str) -> str:
    return contract.of(card.answer).metric_names.get(metric, metric.replace("_", " "))


def _interval(one: Mapping[str, Any] | None) -> Interval:
    return Interval(None, None, None, 0) if one is None else Interval(**one)


def _signed(gain: Mapping[str, Any]) -> str:
    digits = decimals_of(gain["difference"], gain["low"], gain["high"])
    text = f"{gain['difference']:+.{digits}f}"
    if gain["low"] is not None:
        text += f" ({gain['low']:+.{digits}f} to {gain['high']:+.{digits}f})"
    return text.replace("-", "−")


def _gain(card: Scorecard, metric: str, gain: Mapping[str, Any] | None) -> Cell:
    """Return the difference with its interval under it, toned where both the interval and the test agree."""
    if gain is None or gain["difference"] is None:
        return Cell("–", under="" if gain is None else str(gain["reason"]))
    digits = decimals_of(gain["difference"], gain["low"], gain["high"])
    under = str(gain["reason"])
    if gain["low"] is not None:
        under = f"{figure(gain['low'], digits)} to {figure(gain['high'], digits)}"
    tone = "" if not gain["better"] else "good" if _helps(card, metric, gain) else "bad"
    return Cell(_signed(gain).partition(" ")[0], gain["difference"], under, tone)


def _helps(card: Scorecard, metric: str, gain: Mapping[str, Any]) -> bool:
    return bool(gain["difference"] > 0) == (directed(card.answer, metric) == "higher")


def about(card: Scorecard) -> str:
    """Return in a few words what was compared; empty where nothing was."""
    found = card.sources
    if not found or "skipped" in found:
        return ""
    return f"{counted(len(found['names']), 'source')}: {', '.join(found['names'])}"
