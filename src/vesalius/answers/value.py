"""Value: one number with its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius.answers.contract import ForeignAnswers, Handling
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.foreign.tables import Row, row_answers
from vesalius.core.answers.value import Value
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.scorecard import Scorecard
from vesalius.metrics import Rows
from vesalius.metrics import value as judge

TARGETS = ("number",)


class ValueHandling(Handling[Value]):
    """What is done with a number."""

    kind = Value
    headlines = ("mae", "rmse", "r2", "pearson", "spearman")
    metric_names: ClassVar[Mapping[str, str]] = {
        "mae": "MAE",
        "rmse": "RMSE",
        "r2": "R²",
        "pearson": "Pearson r",
        "spearman": "Spearman ρ",
    }
    baseline = "the training mean"

    def columns(self, answer: Value) -> dict[str, Any]:
        """Return the number and its unit."""
        return {"value": answer.x, "unit": answer.unit or ""}

    def rate(self, answer: Value, truth: Any, measured: Any) -> tuple[float, str]:
        """Return the negative error, and both numbers as the caption."""
        return -abs(float(answer.x) - float(truth)), f"{answer.x:.4g}, truly {float(truth):.4g}"

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
