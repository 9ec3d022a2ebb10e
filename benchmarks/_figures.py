"""What a benchmark returns: figures with the bound that they are held against, and machine-made words for both."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured thing: `value` in words, `bound` where one is asked, `holds` whether it is kept."""

    what: str
    value: str
    bound: str = ""
    holds: bool | None = None
    seed: str = ""
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """A table's row."""
        held = "" if self.holds is None else ("yes" if self.holds else "NO")
        return self.what, self.seed, self.value, self.bound, held, self.note


HEADINGS = ("what", "seed", "measured", "asked", "held", "note")


def at_most(
    what: str, value: float, bound: float, *, unit: str = "", digits: int = 3, **words: str
) -> Figure:
    """A figure that may not exceed its bound."""
    return Figure(
        what,
        f"{value:.{digits}f}{unit}",
        f"≤ {bound:g}{unit}",
        value <= bound,
        words.get("seed", ""),
        words.get("note", ""),
    )


def at_least(what: str, value: float, bound: float, *, digits: int = 3, **words: str) -> Figure:
    """A figure that may not fall below its bound."""
    return Figure(
        what,
        f"{value:.{digits}f}",
        f"≥ {bound:g}",
        value >= bound,
        words.get("seed", ""),
        words.get("note", ""),
    )


def spread(seconds: Sequence[float]) -> str:
    """Median and quartiles of times, in milliseconds."""
    if len(seconds) < 4:
        return f"{1000 * statistics.median(seconds):.2f} ms"
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{1000 * middle:.2f} ms [{1000 * low:.2f}, {1000 * high:.2f}]"


def table(figures: Sequence[Figure]) -> str:
    """Figures as a markdown table."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in f.cells()) + " |" for f in figures]
    return "\n".join(lines)
