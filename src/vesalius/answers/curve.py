"""Curve: survival over time, one curve an arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vesalius.answers import _curve_words as words
from vesalius.answers._asking import days_at
from vesalius.answers.contract import Handling
from vesalius.answers.drawing.lines import Line
from vesalius.core.answers.curve import Curve
from vesalius.core.ask import Ask
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.horizons import named
from vesalius.core.marks import Mark, fields_of

HORIZON, RISK, ARM = "horizon", "risk", "arm"


class CurveHandling(Handling[Curve]):
    """What is done with survival curves."""

    kind = Curve
    objects = (".sr.dcm",)
    asks = (HORIZON, RISK, ARM)

    # --- what is written of it and shown

    def columns(self, answer: Curve) -> dict[str, Any]:
        """Return risk and rank, and of each arm median, mean and chances after years; empty where it does not tell."""
        return {name: "" if value is None else value for name, value in words.columns(answer).items()}

    def values(self, answer: Curve) -> dict[str, Any]:
        """Return the same, with None where the curve does not tell."""
        return dict(words.columns(answer))

    def marks(self, answer: Curve) -> list[Mark]:
        """Return the times, the arms in their order, the survival and incidence of each, and the risk."""
        curves = [
            replace(mark, unit=1.0)
            for arm, curve in answer.survival.items()
            for mark in fields_of(curve, f"survival of {arm}")
        ]
        curves += [
            replace(mark, unit=1.0)
            for arm, causes in (answer.incidence or {}).items()
            for cause, curve in causes.items()
            for mark in fields_of(curve, f"incidence of {cause}, {arm}")
        ]
        risk = [] if answer.risk is None else [Mark("risk", float(answer.risk), unit=1.0)]
        return [
            Mark("arms", ", ".join(answer.survival)),
            *fields_of(answer.times_days, "times in days"),
            *curves,
            *risk,
        ]

    def lines(self, answer: Curve) -> list[Line]:
        """Return the risk in words, and each arm's median and its chance after the last whole year."""
        return words.lines(answer)

    # --- what is asked of it

    def asks_of(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return a time and the risk, and an arm where the model knows several."""
        return self.asks if len(values.get("arms") or ()) > 1 else (HORIZON, RISK)

    def usual(self, answer: Curve) -> str:
        """Return the risk where the answer tells of one, else a time."""
        return HORIZON if answer.risk is None else RISK

    def ask(self, answer: Curve, of: str, which: str | None) -> Ask:
        """Return what is asked: survival at a time under the arm given, the risk, or survival under an arm.

        A time is by default the middle of those that the curve tells of; `arm=chemo@365` asks about both. Raises
        DataError for a time beyond the curve, UnknownName for an arm that it does not have.
        """
        arms = list(answer.survival)
        if of == RISK:
            if which is not None:
                raise DataError("a case has one risk", found=which, hint="risk")
            return Ask(of, place=arms.index(answer.arm), words="the risk")
        arm, at = (answer.arm, which) if of == HORIZON else _arm_and_time(which, answer)
        if arm not in arms:
            raise UnknownName("arm", arm, arms)
        times = answer.times_days
        if not len(times):
            raise DataError("the curve tells of no time", hint="another case")
        days = days_at(at, what=HORIZON, default=float(times[len(times) // 2]))
        if days > times[-1]:
            raise DataError(
                f"the curve does not tell of {named(days)}",
                found=f"it ends at day {times[-1]:g}",
                hint=f"{HORIZON}={times[-1]:g}",
            )
        under = f" under {arm}" if len(arms) > 1 else ""
        return Ask(of, place=arms.index(arm), at=days, words=f"survival at {named(days)}{under}")


def _arm_and_time(which: str | None, answer: Curve) -> tuple[str, str | None]:
    """Return the arm and the time of `chemo@365`, by default the arm that the answer is held by."""
    if which is None:
        return answer.arm, None
    if which in answer.survival:
        return which, None
    arm, parted, at = which.rpartition("@")
    return (arm.strip(), at.strip()) if parted else (which, None)


HANDLING = CurveHandling()
