"""A guideline as a table: what it recommends for findings, and whether words recommend the same.

It is there to measure how far a language model's words agree with a stated table. It is no advice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from vesalius.core.errors import DataError, UnknownName
from vesalius.core.finding import Finding
from vesalius.core.sentences import sentences

_FOLDER = Path(__file__).parent / "guidelines"
Risk = Literal["low", "high"]
_NONE = re.compile(
    r"\bno (routine |further |additional )?(follow[- ]?up|imaging|ct|action)\b|\bnot (needed|necessary|required)\b",
    re.I,
)
_MONTHS = re.compile(r"\b(?:at|in|after|within) (\d+)(?:\s*(?:to|-|–|and)\s*(\d+))?[- ]months?\b", re.I)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: for how many, of which size in mm, at which risk, what is recommended, and its words."""

    several: bool
    low_mm: float
    high_mm: float
    high_included: bool
    risk: Risk
    recommend: str
    words: str

    def holds(self, size_mm: float, *, several: bool, risk: Risk) -> bool:
        """Return whether the line is that of such findings."""
        below = size_mm <= self.high_mm if self.high_included else size_mm < self.high_mm
        above = size_mm >= self.low_mm if self.low_mm != _OVER else size_mm > _OVER
        return self.several == several and self.risk == risk and above and below


_OVER = 8.0  # a single nodule of exactly this size is of the line before


@dataclass(frozen=True, slots=True)
class Guideline:
    """A table of recommendations for one finding, and where it was published."""

    name: str
    source: str
    finding: str
    rules: tuple[Rule, ...]

    @staticmethod
    def named(name: str) -> Guideline:
        """Return the guideline that comes with Vesalius under this name. Raises UnknownName."""
        known = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
        if name not in known:
            raise UnknownName("guideline", name, known)
        told = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
        return Guideline(name, told["source"], told["finding"], tuple(_rule(one) for one in told["rules"]))

    def recommended(self, findings: Sequence[Finding], *, risk: Risk = "low") -> Rule | None:
        """Return the line for what is found; None where the finding is not there. Raises DataError without a size."""
        own = [f for f in findings if f.name == self.finding and f.status == "present"]
        if not own:
            return None
        if any(f.size_mm is None for f in own):
            raise DataError(
                f"the guideline '{self.name}' needs the size of each {self.finding} in millimetres"
            )
        count = sum(f.count or 1 for f in own)
        size = max(f.size_mm or 0.0 for f in own)
        return next(r for r in self.rules if r.holds(size, several=count > 1, risk=risk))


def read_recommendation(text: str) -> str:
    """Return which recommendation a text makes, as tables call it (`none`, `ct-12`, `ct-6-12`); "" where it makes none.

    The first sentence that says one counts.
    """
    for sentence in sentences(text):
        if found := _MONTHS.search(sentence):
            return "ct-" + "-".join(n for n in found.groups() if n)
        if _NONE.search(sentence):
            return "none"
    return ""


def agreement(texts: Mapping[str, str], right: Mapping[str, str]) -> float:
    """Return which share of texts recommend what the table does, by case; a text that recommends nothing is wrong."""
    hits = [read_recommendation(texts.get(case, "")) == wanted for case, wanted in right.items()]
    return sum(hits) / len(hits) if hits else float("nan")


def _rule(told: Mapping[str, Any]) -> Rule:
    low = float(told.get("from_mm", told.get("above_mm", 0.0)))
    high = float(told.get("below_mm", told.get("to_mm", float("inf"))))
    return Rule(
        told["count"] == "several", low, high, "to_mm" in told, told["risk"], told["recommend"], told["words"]
    )
