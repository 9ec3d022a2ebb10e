"""Value: one number with its unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius import metrics
from vesalius.answers import _unsure as unsure
from vesalius.answers._grown import by_doubts, by_test
from vesalius.answers.contract import ForeignAnswers, Handling, Judged, Kept, Panel
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.panels import Cell, Table, decimals_of, figure, measured
from vesalius.answers.foreign.tables import Row, row_answers
from vesalius.core.answers import Answer
from vesalius.core.answers.value import Value
from vesalius.core.ask import Ask
from vesalius.core.bounds import Bounds
from vesalius.core.called import without_side
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.doubt import Doubt
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.finding import Finding
from vesalius.core.growth import Changed, Errors, Growth, Reach, by_promise, errors_of, first_known
from vesalius.core.image import Array
from vesalius.core.marks import Mark
from vesalius.core.promise import Limits, Promise
from vesalius.core.scorecard import Scorecard
from vesalius.core.stated import COUNT, Statement
from vesalius.core.words import counted, in_unit
from vesalius.metrics import Interval, Rows
from vesalius.metrics import value as judge
from vesalius.prepare.between import Between

TARGETS = ("number",)
NO_SPREAD = 1e-9  # opinions that are all alike
ABSOLUTE, NORMALISED, QUANTILE = "absolute", "normalised", "quantile"
AGREEMENT_SAYS = (
    "A dot a case: how far the answer lies above or below the truth, against the mean of both. The line is the mean "
    "difference, the dashes hold 95 of 100 differences if these are normal; the bands are 95 % intervals."
)
SCATTER_SAYS = "On the diagonal the answer is right."
LIMITS = ("mean difference (bias)", "lower limit", "upper limit")  # of agreement


class ValueHandling(Handling[Value]):
    """What is done with a number."""

    kind = Value
    objects = (".sr.dcm",)
    headlines = ("mae", "rmse", "r2", "pearson", "spearman")
    metric_names: ClassVar[Mapping[str, str]] = {
        "mae": "MAE",
        "rmse": "RMSE",
        "r2": "R²",
        "pearson": "Pearson r",
        "spearman": "Spearman ρ",
    }
    baseline = "the training mean"
    compared = ("mae", "bias")
    asks = ("number",)
    ways = (ABSOLUTE, NORMALISED, QUANTILE)
    unsure_by = (unsure.WIDTH,)
    doubted_ways = (NORMALISED,)
    error = "mean size of the error"

    def columns(self, answer: Value) -> dict[str, Any]:
        """Return the number and its unit, and the bounds that the model itself gives it, where it does."""
        found = {"value": answer.x, "unit": answer.unit or ""}
        return (
            found
            if answer.bounds is None
            else {**found, "low": answer.bounds.low, "high": answer.bounds.high}
        )

    def states(self, answer: Value) -> list[Statement]:
        """Return the number under what it measures; a count is that of things, and none of them is their absence."""
        if not answer.quantity:
            return []
        interval = "" if answer.promise is None else f"at {answer.promise.share} {answer.promise.text}"
        of, counts, _ = answer.quantity.rpartition(COUNT)
        if counts:
            name, side = without_side(of)
            n = round(answer.x)
            finding = Finding(name, "present" if n > 0 else "absent", side=side, count=n)
            return [Statement(finding, f"counted {answer.x:.4g}" + (f", {interval}" if interval else ""))]
        finding = Finding(answer.quantity)
        return [Statement(finding, interval, number=float(answer.x), unit=answer.unit or "")]

    def marks(self, answer: Value) -> list[Mark]:
        """Return the number and its unit, and the bounds that the model itself gives it."""
        known = [
            Mark(answer.quantity or "value", float(answer.x), unit=None),
            Mark("unit", answer.unit or "none"),
        ]
        if answer.bounds is not None:
            known.append(Mark("bounds", (answer.bounds.low, answer.bounds.high), unit=None))
        return known

    def lines(self, answer: Value) -> list[Line]:
        """Return the number with its unit, and what the model itself says of its bounds where nothing is promised."""
        found = [Line(answer.quantity or "value", f"{answer.x:.6g}{in_unit(answer.unit)}")]
        if answer.bounds is not None and answer.promise is None:
            own = answer.bounds
            text = f"{own.low:.5g} to {own.high:.5g}{in_unit(answer.unit)}"
            found.append(Line(f"by its own word in {100 * own.share:g} %", f"{text}, not calibrated"))
        return found

    def ask(self, answer: Value, of: str, which: str | None) -> Ask:
        """Return the one number. Raises DataError where another is asked for."""
        if which is not None:
            raise DataError("the answer is one number", found=which, hint="ask for nothing in particular")
        return Ask(of, words=answer.quantity or "the number")

    def doubt(self, answer: Value, samples: Sequence[Value]) -> Doubt:
        """Return the standard deviation of the samples, in the number's unit."""
        sd = float(np.std([one.x for one in samples], ddof=1))
        return Doubt(figures={"sd": sd}, units={"sd": answer.unit} if answer.unit else {})

    def unsure(self, answer: Value, by: str) -> float | None:
        """Return how wide the interval is that is promised, or that the model itself expects; None without one."""
        return unsure.of_number(answer)

    def strangeness(self, answer: Value, truth: Any, way: str) -> Mapping[str, float | Array]:
        """Return the size of the error; of `normalised` as a multiple of the answer's own doubt.

        Of `quantile` it is how far the truth lies beyond the answer's own bounds, negative within them (conformalized
        quantile regression, Romano, Patterson & Candès 2019, arXiv 1905.03222, equation 6).
        """
        if way == QUANTILE:
            own = _bounds(answer)
            return {"": max(own.low - float(truth), float(truth) - own.high)}
        return {"": abs(float(answer.x) - float(truth)) / _scale(answer, way)}

    def extent(self, answers: Sequence[tuple[Value, Any]]) -> dict[str, Any]:
        """Return between which numbers the truths of the calibration lie."""
        truths = [float(truth) for _, truth in answers]
        return {"low": min(truths), "high": max(truths)} if truths else {}

    def promised(self, answer: Value, limits: Limits) -> Value:
        """Return the answer with the interval that holds the true number, marked where it goes beyond all seen."""
        lacks = _lacks(answer, limits.way)
        reach = math.inf if lacks else limits.of() * _scale(answer, limits.way)
        interval: tuple[float | None, float | None] = (None, None)
        remarks = limits.remarks
        if lacks:
            remarks = (*remarks, f"the answer says no {lacks} of its own: the interval has no bounds")
        elif math.isfinite(reach):
            interval = _possible(answer, _widened(answer, reach, limits.way))
        else:
            few = counted(limits.least(), "calibration case")
            interval = (answer.least, None)
            remarks = (*remarks, f"too few calibration cases ({few}): the interval has no bounds")
        about = limits.about or {}
        if {"low", "high"} <= about.keys():
            low, high = float(about["low"]), float(about["high"])
            if interval[0] is None or interval[1] is None or interval[0] < low or interval[1] > high:
                known = f"{low:.5g} to {high:.5g}{in_unit(answer.unit)}"
                remarks = (
                    *remarks,
                    f"the interval goes beyond the numbers that the calibration saw, {known}",
                )
        made = Promise(
            limits.coverage,
            f"the true number lies in the interval in at least {limits.share} cases like those of the calibration",
            interval=interval,
            unit=answer.unit,
            group=limits.group,
            n=limits.least(),
            remarks=remarks,
        )
        return replace(answer, promise=made)

    def kept(self, answer: Value, truth: Any) -> Kept | None:
        """Return whether the interval holds the true number, and its width."""
        if answer.promise is None or answer.promise.interval is None:
            return None
        low, high = answer.promise.interval
        x, bounded = float(truth), low is not None and high is not None
        held = (low is None or low <= x) and (high is None or x <= high)
        return Kept({"": float(held)}, high - low if bounded else math.inf)  # type: ignore[operator]

    def changed(self, earlier: Value, later: Value, between: Between) -> Changed:
        """Return how much the number changed, and within which bounds that is known."""
        found = between.card.clinical.get("agreement") if between.card is not None else None
        return number_changed(
            later.quantity or "value", earlier, later, errors_of(found, between.card), same=between.same
        )

    def rate(self, answer: Value, truth: Any, measured: Any) -> tuple[float, str]:
        """Return the negative error, and both numbers as the caption."""
        return -abs(float(answer.x) - float(truth)), f"{answer.x:.4g}, truly {float(truth):.4g}"

    def clinical(self, rows: Rows, judged: Judged, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the bias and the limits of agreement."""
        found = judged(metrics.agreement(rows["x"], rows["y"]))
        return {"agreement": {name: asdict(interval) for name, interval in found.items()}}

    def clinic(self, card: Scorecard) -> list[Panel]:
        """Return Bland and Altman's drawing and its figures."""
        if "agreement" not in card.clinical or not card.cases:
            return []
        lines = {name: Interval(**one) for name, one in card.clinical["agreement"].items()}
        x, y = ([case[key] for case in card.cases] for key in ("x", "y"))
        unit = f" ({card.unit})" if card.unit else ""
        rows = [
            (Cell(name), cell)
            for name, cell in zip(LIMITS, limits_of_agreement(lines, card.unit), strict=True)
        ]
        return [
            Figure("Agreement (Bland–Altman)", draw.agreement({"": (x, y, lines)}, unit), AGREEMENT_SAYS),
            Table("Limits of agreement", ("answer minus truth", "95 % interval below"), rows),
        ]

    def case_table(self, card: Scorecard) -> Table | None:
        """Return truth, answer and error of all cases, the largest error first; None where a card holds neither."""
        if not all({"x", "y"} <= case.keys() for case in card.cases) or not card.cases:
            return None
        digits = decimals_of(*(c[k] for c in card.cases for k in ("x", "y")))
        ordered = sorted(card.cases, key=lambda c: -abs(c["x"] - c["y"]))
        rows = [
            (
                Cell(str(c["case"])),
                *(
                    Cell(figure(v, digits), v)
                    for v in (c["y"], c["x"], c["x"] - c["y"], abs(c["x"] - c["y"]))
                ),
            )
            for c in ordered
        ]
        unit = f", {card.unit}" if card.unit else ""
        return Table(
            "All cases", ("case", f"truth{unit}", f"answer{unit}", "error", "size of the error"), rows
        )

    def each(self, rows: Rows) -> Array:
        """Return the negative errors."""
        return np.asarray(-np.abs(rows["x"] - rows["y"]))

    def again(self, card: Scorecard) -> Rows:
        """Return the answers and the truths."""
        x, y = (np.array([case[name] for case in card.cases]) for name in ("x", "y"))
        return judge.from_arrays(x, y, unit=card.unit, case_ids=[case["case"] for case in card.cases])

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return the answers against the truths."""
        if not card.cases:
            return []
        x, y = ([case[key] for case in card.cases] for key in ("x", "y"))
        unit = f" ({card.unit})" if card.unit else ""
        return [Figure("Answer against truth", draw.scatter({"": (x, y)}, unit), SCATTER_SAYS)]

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> ForeignAnswers:
        """Return the numbers in a table. Raises DataError where it has no column of them."""
        return row_answers(path, cases, partial(_value_of, unit=target.unit))


def number_changed(
    name: str,
    earlier: Value,
    later: Value,
    errors: Errors | None,
    *,
    same: bool,
    doubts: tuple[Answer, Answer] | None = None,
    figure: str = "sd",
) -> Changed:
    """Return how much a number changed. `errors` are those of the model on its test split, None where nobody knows.

    `doubts` are the answers that say how far opinions are apart, by default the numbers themselves, under `figure`.
    """
    if (earlier.unit or "1") != (later.unit or "1"):
        said = f"{name} has another unit at each visit: {earlier.unit or 'none'} and {later.unit or 'none'}"
        return Changed(notes=(f"{said}; they are not compared",))
    reach, others = (None, ()) if same else first_known(
        [
            _by_promise(earlier, later),
            by_test(errors, earlier.x, later.x),
            by_doubts(figure, earlier.x, later.x, doubts or (earlier, later)),
        ]
    )  # fmt: skip
    found = Growth(
        name, name, None if later.unit == "1" else later.unit, float(earlier.x), float(later.x), reach, others,
        same=same, sizes=False,
    )  # fmt: skip
    lacks = reach is None and not same
    said = f"nothing says how far {name} is off, so that no change can be told" if lacks else ""
    return Changed((found,), notes=(said,) if said else ())


def _by_promise(earlier: Value, later: Value) -> Reach | None:
    """Return the bounds of a change by what is promised of both numbers; None where either has no promise."""
    one, two = earlier.promise, later.promise
    if one is None or two is None or one.interval is None or two.interval is None:
        return None
    return by_promise(one.interval, two.interval, min(one.coverage, two.coverage), min(one.n, two.n))


def limits_of_agreement(lines: Mapping[str, Interval], unit: str | None) -> list[Cell]:
    """Return cells of the bias and of the limits of agreement, in the order of LIMITS, each over its interval."""
    digits = decimals_of(*(one.value for one in lines.values()))
    return [measured(lines[key], unit=unit or "", decimals=digits) for key in ("bias", "low", "high")]


def _lacks(answer: Value, way: str) -> str:
    """Return what an answer does not say that a way needs; empty where it says it, or where nothing is needed."""
    if way == QUANTILE and answer.bounds is None:
        return "bounds"
    return "standard deviation" if way == NORMALISED and _spread(answer) is None else ""


def _widened(answer: Value, reach: float, way: str) -> tuple[float, float]:
    """Return the interval that reaches so far beyond the number, or beyond the answer's own bounds.

    A negative reach draws bounds nearer; where they would pass each other, their middle is left.
    """
    if way != QUANTILE:
        return answer.x - reach, answer.x + reach
    own = _bounds(answer)
    middle = (own.low + own.high) / 2
    return min(own.low - reach, middle), max(own.high + reach, middle)


def _possible(answer: Value, interval: tuple[float, float]) -> tuple[float, float]:
    """Return the part of an interval in which the number can lie at all."""
    least = -math.inf if answer.least is None else answer.least
    return max(interval[0], least), max(interval[1], least)


def _bounds(answer: Value) -> Bounds:
    """Return the answer's own bounds. Raises DataError where it has none."""
    if answer.bounds is None:
        raise DataError(
            f"the way '{QUANTILE}' needs answers with bounds of their own",
            found="an answer without them",
            hint=f"--way {ABSOLUTE}, or a model fitted with --set task.options.interval=quantiles",
        )
    return answer.bounds


def _scale(answer: Value, way: str) -> float:
    """Return what an error is divided by: 1, or the answer's own doubt. Raises DataError where it has none."""
    if way in ("", ABSOLUTE, QUANTILE):
        return 1.0
    if way != NORMALISED:
        raise UnknownName("way to make an interval", way, (ABSOLUTE, NORMALISED, QUANTILE))
    spread = _spread(answer)
    if spread is None:
        raise DataError(
            "a normalised interval needs answers that say how much they doubt",
            found="an answer without a standard deviation",
            hint="--way absolute, or --doubt members, dropout or mirror",
        )
    return spread


def _spread(answer: Value) -> float | None:
    """Return the standard deviation of several opinions about an answer; None where it does not say one."""
    found = None if answer.doubt is None else answer.doubt.figures.get("sd")
    return None if found is None else max(float(found), NO_SPREAD)


def _value_of(row: Row, *, unit: str | None) -> Value:
    column = row.answer_column()
    if column is None:
        raise DataError(f"{row.table} has no column of values", found=", ".join(row.cells), hint="'value'")
    return Value(x=row.number(column), unit=unit, case_id=row.case)


HANDLING = ValueHandling()
