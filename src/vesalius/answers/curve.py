"""Curve: survival over time, one curve an arm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vesalius.answers._asking import number_at
from vesalius.answers.contract import Handling
from vesalius.answers.drawing.lines import Line
from vesalius.core.answers.curve import Curve
from vesalius.core.ask import Ask
from vesalius.core.marks import Mark, fields_of


class CurveHandling(Handling[Curve]):
    """What is done with survival curves."""

    kind = Curve
    objects = (".sr.dcm",)
    asks = ("horizon",)

    def columns(self, answer: Curve) -> dict[str, Any]:
        """Return each arm's median survival in days; empty where the curve does not fall to one half."""
        found: dict[str, Any] = {}
        for arm, curve in answer.survival.items():
            below = answer.times_days[curve <= 0.5]
            found[f"median_days_{arm}"] = float(below[0]) if len(below) else ""
        return found

    def values(self, answer: Curve) -> dict[str, Any]:
        """Return the same, with None where the curve does not fall to one half."""
        return {name: None if days == "" else days for name, days in self.columns(answer).items()}

    def marks(self, answer: Curve) -> list[Mark]:
        """Return the times, the arms in their order, and the survival of each, a probability."""
        curves = [
            replace(mark, unit=1.0)
            for arm, curve in answer.survival.items()
            for mark in fields_of(curve, f"survival of {arm}")
        ]
        return [
            Mark("arms", ", ".join(answer.survival)),
            *fields_of(answer.times_days, "times in days"),
            *curves,
        ]

    def lines(self, answer: Curve) -> list[Line]:
        """Return each arm's median survival, and how many survive to the last day."""
        found = []
        for arm, curve in answer.survival.items():
            below = answer.times_days[curve <= 0.5]
            median = f"median {below[0]:g} days" if len(below) else "median not reached"
            if len(curve):
                last = float(curve[-1])
                found.append(Line(arm, f"{median}, {last:.0%} at {answer.times_days[-1]:g} days", share=last))
        return found

    def ask(self, answer: Curve, of: str, which: str | None) -> Ask:
        """Return a time in days of the first arm's curve; by default the middle of the times that it tells of."""
        at = number_at(which, what=of, default=float(answer.times_days[len(answer.times_days) // 2]))
        return Ask(of, at=at, words=f"at {at:g} days")


HANDLING = CurveHandling()
