"""A figure and its difference from another one, as cells and words of tables that hold ways to answer together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.answers import contract
from vesalius.answers.drawing.panels import Cell, decimals_of, figure
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.evaluate.paired import directed


def called(card: Scorecard, metric: str) -> str:
    """Return how a metric of this kind of answer is written."""
    return contract.of(card.answer).metric_names.get(metric, metric.replace("_", " "))


def interval_of(one: Mapping[str, Any] | None) -> Interval:
    """Return a stored figure; one without a value where there is none."""
    return Interval(None, None, None, 0) if one is None else Interval(**one)


def signed(gain: Mapping[str, Any]) -> str:
    """Return a difference with its sign, and its interval where it has one."""
    digits = decimals_of(gain["difference"], gain["low"], gain["high"])
    text = f"{gain['difference']:+.{digits}f}"
    if gain["low"] is not None:
        text += f" ({gain['low']:+.{digits}f} to {gain['high']:+.{digits}f})"
    return text.replace("-", "−")


def gain_cell(card: Scorecard, metric: str, gain: Mapping[str, Any] | None) -> Cell:
    """Return the difference with its interval under it, toned where both the interval and the test agree."""
    if gain is None or gain["difference"] is None:
        return Cell("–", under="" if gain is None else str(gain["reason"]))
    digits = decimals_of(gain["difference"], gain["low"], gain["high"])
    under = str(gain["reason"])
    if gain["low"] is not None:
        under = f"{figure(gain['low'], digits)} to {figure(gain['high'], digits)}"
    tone = "" if not gain["better"] else "good" if _helps(card, metric, gain) else "bad"
    return Cell(signed(gain).partition(" ")[0], gain["difference"], under, tone)


def _helps(card: Scorecard, metric: str, gain: Mapping[str, Any]) -> bool:
    return bool(gain["difference"] > 0) == (directed(card.answer, metric) == "higher")
