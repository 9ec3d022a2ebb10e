"""Value: one number with its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from vesalius.answers.contract import ForeignAnswers, Handling
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.foreign.tables import Row, row_answers
from vesalius.core.answers.value import Value
from vesalius.core.ask import Ask
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.scorecard import Scorecard

TARGETS = ("number",)


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
    asks = ("number",)

    def columns(self, answer: Value) -> dict[str, Any]:
        """Return the number and its unit."""
        return {"value": answer.x, "unit": answer.unit or ""}

    def ask(self, answer: Value, of: str, which: str | None) -> Ask:
        """Return the one number. Raises DataError where another is asked for."""
        if which is not None:
            raise DataError("the answer is one number", found=which, hint="ask for nothing in particular")
        return Ask(of, words=answer.quantity or "the number")

    def rate(self, answer: Value, truth: Any, measured: Any) -> tuple[float, str]:
        """Return the negative error, and both numbers as the caption."""
        return -abs(float(answer.x) - float(truth)), f"{answer.x:.4g}, truly {float(truth):.4g}"

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return the answers against the truths."""
        if not card.cases:
            return []
        return [Figure("Answer against truth", draw.scatter(card), "On the diagonal the answer is right.")]

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> ForeignAnswers:
        """Return the numbers in a table. Raises DataError where it has no column of them."""
        return row_answers(path, cases, partial(_value_of, unit=target.unit))


def _value_of(row: Row, *, unit: str | None) -> Value:
    column = row.answer_column()
    if column is None:
        raise DataError(f"{row.table} has no column of values", found=", ".join(row.cells), hint="'value'")
    return Value(x=row.number(column), unit=unit, case_id=row.case)


HANDLING = ValueHandling()
