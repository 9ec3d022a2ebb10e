"""What a report shows beside figures: tables that can be sorted, and what a call means at a prevalence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from vesalius.core.scorecard import Interval


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: its text, the number it is sorted by (None: by its text), lines under it, and its tone.

    `tone` is "", "good", "warn" or "bad"; it only colours what the text says already.
    """

    text: str
    number: float | None = None
    under: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a report: its title, its heads, its rows, and a line that says how to read it."""

    show: ClassVar[str] = "table"
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    text: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One operating point: what is called, how many have it here, and how right calls are where one of two has it."""

    name: str
    observed: float
    sensitivity: Interval
    specificity: Interval
    ppv_even: Interval
    npv_even: Interval


@dataclass(frozen=True, slots=True)
class Odds:
    """What a positive and a negative call mean at a prevalence that the reader sets."""

    show: ClassVar[str] = "odds"
    title: str
    calls: Sequence[Call]
    text: str = ""


def figure(value: float | None, decimals: int | None = None) -> str:
    """Return a number as a report writes it: three decimals below ten, fewer above; a dash where there is none."""
    if value is None:
        return "–"
    if decimals is None:
        decimals = decimals_of(value)
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def decimals_of(*values: float | None) -> int:
    """Return how many decimals the largest of some numbers has, and so all that stand beside it."""
    most = max((abs(v) for v in values if v is not None), default=0.0)
    return 3 if most < 10 else 1 if most < 1000 else 0


def spread(found: Interval, decimals: int | None = None) -> str:
    """Return the interval as `0.812 to 0.934`, with the decimals of its value; empty where there is none."""
    if found.low is None or found.high is None:
        return ""
    if decimals is None:
        decimals = decimals_of(found.value, found.low, found.high)
    return f"{figure(found.low, decimals)} to {figure(found.high, decimals)}"


def share(found: Interval) -> Cell:
    """Return a cell that holds a share in percent and, under it, its interval or why it has none."""
    bounds = (
        "" if found.low is None or found.high is None else f"{percent(found.low)} to {percent(found.high)}"
    )
    return Cell(percent(found.value), found.value, bounds or found.reason)


def percent(value: float | None) -> str:
    """Return a share in percent, with one decimal; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def measured(found: Interval, *, unit: str = "", decimals: int | None = None) -> Cell:
    """Return a cell that holds a figure and, under it, its interval or why it has none."""
    decimals = decimals_of(found.value, found.low, found.high) if decimals is None else decimals
    shown = figure(found.value, decimals) + (f" {unit}" if unit and found.value is not None else "")
    return Cell(shown, found.value, spread(found, decimals) or found.reason)
