"""Curve: survival over time, one curve an arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius.answers import _benefit, _benefit_shown, _signature
from vesalius.answers import _curve_bound as bound
from vesalius.answers import _curve_gain as gain
from vesalius.answers import _curve_shown as shown
from vesalius.answers import _curve_words as words
from vesalius.answers._asking import days_at
from vesalius.answers._curve_cases import again, case_of
from vesalius.answers._curve_kept import kept
from vesalius.answers._under_arms import under_arms
from vesalius.answers.contract import NOT_RATED, ForeignAnswers, Handling, Judged, Kept, Panel
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.panels import Table
from vesalius.answers.foreign.curves import curve_of
from vesalius.answers.foreign.tables import row_answers
from vesalius.core.answers.curve import Curve
from vesalius.core.arms import UnderArms
from vesalius.core.ask import Ask
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.horizons import named
from vesalius.core.image import Array
from vesalius.core.marks import Mark, fields_of
from vesalius.core.promise import Limits
from vesalius.core.scorecard import Scorecard
from vesalius.metrics import Rows
from vesalius.metrics import curve as judge
from vesalius.survival.signature import Known

TARGETS = ("event",)
HORIZON, RISK, ARM, GAIN = "horizon", "risk", "arm", "benefit"


class CurveHandling(Handling[Curve]):
    """What is done with survival curves."""

    kind = Curve
    objects = (".sr.dcm",)
    headlines = ("c_index", "uno_c", "auc", "ibs", "calibration", "d_calibration")
    metric_names: ClassVar[Mapping[str, str]] = {
        "c_index": "C (Harrell)",
        "uno_c": "C (Uno)",
        "auc": "AUC over time",
        "ibs": "integrated Brier",
        "brier": "Brier",
        "calibration": "calibration error",
        "bias": "predicted minus observed",
        "d_calibration": "D-calibration",
    }
    one_sided = ("calibration", "bias", "d_calibration")  # one curve for all can be right on average
    left_out: ClassVar[Mapping[str, str]] = {
        "unknown": "not known what happened",
        "arm": "not known which arm they had, so held against the first arm's curve",
    }
    baseline = "Kaplan–Meier of the training cases"
    compared = ("c_index", "ibs")
    error = "mean squared error of the survival while it is known"
    asks = (HORIZON, RISK, ARM, GAIN)
    ways = (bound.LOWER,)

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
        """Return a time and the risk, and an arm and what it changes where the model knows several."""
        return self.asks if len(values.get("arms") or ()) > 1 else (HORIZON, RISK)

    def usual(self, answer: Curve) -> str:
        """Return the risk where the answer tells of one, else a time."""
        return HORIZON if answer.risk is None else RISK

    def ask(self, answer: Curve, of: str, which: str | None) -> Ask:
        """Return what is asked: survival at a time under the arm given, the risk, or survival under an arm.

        A time is by default the middle of those that the curve tells of; `arm=chemo@365` asks about both, and so does
        `benefit=chemo@365`, what that arm changes beside the first. Raises DataError for a time beyond the curve,
        UnknownName for an arm that it does not have.
        """
        arms = list(answer.survival)
        if of == GAIN:
            return gain.asked(answer, which)
        if of == RISK:
            if which is not None:
                raise DataError("a case has one risk", found=which, hint="risk")
            return Ask(of, place=arms.index(answer.arm), words="the risk")
        arm, at = (answer.arm, which) if of == HORIZON else gain.arm_and_time(which, answer)
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
        words = f"survival at {named(days)}{under}"
        return Ask(of, place=arms.index(arm), at=days, words=words, sum=gain.falls(answer, days, {arm: 1.0}))

    # --- what is promised of it

    def strangeness(self, answer: Curve, truth: Any, way: str) -> Mapping[str, float | Array]:
        """Return the survival that was predicted for the day on which the observation ended."""
        if way not in ("", bound.LOWER):
            raise UnknownName("way to promise a time", way, self.ways)
        return {**bound.strangeness(answer, truth)}

    def promised(self, answer: Curve, limits: Limits) -> Curve:
        """Return the answer with the day before which the event comes in few cases."""
        return bound.promised(answer, limits)

    def kept(self, answer: Curve, truth: Any) -> Kept | None:
        """Return whether the event came no sooner than promised; who was censored before counts as if it had."""
        return bound.kept(answer, truth)

    # --- an answer against the truth

    def under_arms(self, answer: Curve) -> UnderArms | None:
        """Return what is expected under each arm, and what each changes; None where the curve tells of no benefit."""
        return under_arms(answer)

    def measure(self, answer: Curve, truth: Any, case: Case) -> Any:
        """Return answer and truth, and where there are arms what is known of the case's treatment."""
        return answer, truth, _benefit.known_of(answer, case)

    def rows(self, measured: Sequence[Any], case_ids: Sequence[str]) -> Rows:
        """Return the rows of the metrics, with what is known of each case's treatment where there are arms."""
        rows = super().rows([one[:2] for one in measured], case_ids)
        return _benefit.with_treated(rows, [one[0] for one in measured], [one[2] for one in measured])

    def rate(self, answer: Curve, truth: Any, measured: Any) -> tuple[float, str]:
        """Return the negative mean squared error of the survival while it is known, and what happened, in words."""
        event = bound.event_of(answer, truth)
        if event is None or not len(answer.times_days):
            return NOT_RATED
        how = "event" if event.happened else "free of it until"
        told = answer.median_days()
        said = "median not reached" if told is None else f"median {told:g}"
        return -judge.wrong_by(answer, event), f"{how} day {event.time_days:g}, {said}"

    def each(self, rows: Rows) -> Array:
        """Return the negative mean squared error of each curve while it is known what is true."""
        return judge.each(rows)

    def strata(self, rows: Rows) -> Array:
        """Return whether the event happened, of the first event."""
        place = 1  # of `y`: time, cause, entry
        return np.asarray(rows["y"][:, place] > 0)

    def alike(self, first: Rows, second: Rows) -> tuple[Rows, Rows, str]:
        """Return both tables without single causes where one of them tells of none, or of others."""
        if first.columns.keys() == second.columns.keys():
            return first, second, ""
        note = "the two do not tell of the same causes: for both any cause counts as the event"
        return judge.without_causes(first), judge.without_causes(second), note

    def again(self, card: Scorecard) -> Rows | None:
        """Return the rows that a scorecard was computed from."""
        rows = again(card)
        return None if rows is None else _benefit.again(card, rows)

    def case(self, rows: Rows, index: int) -> dict[str, Any]:
        """Return what happened to a case, its risk, and its survival by day, of each event."""
        return case_of(rows, index) | _benefit.case_of(rows, index)

    # --- scorecard and report

    def curves(self, rows: Rows) -> dict[str, Any]:
        """Return groups by risk, predicted and observed survival, calibration, and the AUC over time."""
        return kept(rows) | _benefit.about_of(rows)

    def clinical(self, rows: Rows, judged: Judged, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Return what arms change, and whether the model tells who gains; nothing where there is one arm."""
        return _benefit.kept(rows)

    def adds(
        self, rows: Rows, known: Known, people: Sequence[str], *, resamples: int, seed: int
    ) -> dict[str, Any]:
        """Return what the risk adds to factors that are known of the cases, event by event, by Cox models of both."""
        return _signature.kept(rows, known, people, resamples=resamples, seed=seed)

    def facts(self, card: Scorecard) -> list[tuple[str, str]]:
        """Return at which times curves are judged, and what else figures rest on."""
        return shown.facts(card)

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return predicted against observed survival, calibration, the AUC over time and D-calibration."""
        return shown.figures(card)

    def clinic(self, card: Scorecard) -> list[Panel]:
        """Return Kaplan-Meier's curves by risk with numbers at risk, and what each group came to."""
        return [*shown.panels(card), *_benefit_shown.panels(card), *_signature.panels(card)]

    def case_table(self, card: Scorecard) -> Table | None:
        """Return all cases of a single event with what happened to them, the highest risk first."""
        return shown.case_table(card)

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> ForeignAnswers:
        """Return the risks, or the survival at several times, in a table. Raises DataError where it has neither."""
        return row_answers(path, cases, curve_of)


HANDLING = CurveHandling()
