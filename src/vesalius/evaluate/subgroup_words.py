"""What is said of gaps between groups: one sentence each, and never that a model is fair."""

from __future__ import annotations

from vesalius import metrics
from vesalius.answers import contract
from vesalius.answers.drawing.panels import decimals_of, figure, spread
from vesalius.core.errors import UnknownName
from vesalius.core.interval import Interval
from vesalius.core.scorecard import Scorecard
from vesalius.core.subgroups import Gap, Subgroups
from vesalius.core.words import counted


def metric_name(card: Scorecard, metric: str) -> str:
    """Return how a metric is written."""
    return contract.of(card.answer).metric_names.get(metric, metric.replace("_", " "))


def unit_of(card: Scorecard, metric: str) -> str:
    """Return the unit of a metric; empty where it has none."""
    try:
        unit = str(metrics.describe(card.answer, metric).get("unit", ""))
    except UnknownName:
        return ""
    return card.unit_of(metric) if unit == "the target's" else unit


def sentence(card: Scorecard, of: Subgroups, gap: Gap) -> str:
    """Return what a gap comes to: found, undecided, or none found that is larger than so much."""
    unit = unit_of(card, gap.metric)
    shown = metric_name(card, gap.metric)
    between = f"between '{gap.worst}' and '{gap.best}' ({of.name})"
    size = _figure(gap.gap, unit)
    p = f"p {p_words(gap.p_corrected)}, corrected for {counted(of.tests, 'gap')}"
    if gap.verdict == "found":
        pair = {gap.best, gap.worst} == set(gap.apart)
        also = "" if pair else f"; '{gap.apart[0]}' and '{gap.apart[1]}' stand out most"
        return f"{shown} is worse for '{gap.worst}' than for '{gap.best}' ({of.name}) by {size}; {p}{also}."
    able = ""
    if gap.detectable is not None:
        two = (
            ""
            if {gap.best, gap.worst} == set(gap.apart)
            else f" between '{gap.apart[0]}' and '{gap.apart[1]}'"
        )
        able = f" A gap{two} from {number(gap.detectable, unit)} on would have been found 4 times of 5."
    if gap.verdict == "none found" and gap.bound is not None:
        return f"{shown}: no gap found larger than {number(gap.bound, unit)} ({of.name}; {p}).{able}"
    if gap.p is None:
        return f"{shown}: undecided; no test of the gap {between} is possible."
    return f"{shown}: undecided; the gap {between} is {size}; {p}.{able}"


def p_words(p: float | None) -> str:
    """Return a p as it is written; a dash where there is none."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: float, unit: str = "") -> str:
    """Return a number with its unit."""
    return f"{figure(value)}{' ' + unit if unit else ''}"


def _figure(found: Interval, unit: str) -> str:
    digits = decimals_of(found.value, found.low, found.high)
    text = figure(found.value, digits) + (f" {unit}" if unit else "")
    span = spread(found, digits)
    return f"{text} ({span})" if span else text
