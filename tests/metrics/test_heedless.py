"""A summary that does not look at the rows it is asked about gets no interval; cases that are all alike get one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vesalius.core.errors import CodeError
from vesalius.metrics import HEEDLESS, Rows, bootstrap

N = 12
PATIENTS = [str(k) for k in range(N)]


def rows(error: object) -> Rows:
    return Rows(tuple(PATIENTS), {"error": np.asarray(error, dtype=float)})


@pytest.mark.parametrize(
    "summary",
    [lambda r, i: {"error": float(r["error"].mean())}, lambda r, i: {"error": 7.249}],
    ids=["ignores index", "constant"],
)
def test_no_interval_of_a_summary_that_ignores_its_index(summary: Callable[..., dict[str, float]]) -> None:
    found = bootstrap(rows(np.arange(N)), summary, patients=PATIENTS, n=50)["error"]
    assert (found.low, found.high, found.reason) == (None, None, HEEDLESS)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.4])
def test_cases_that_are_all_alike_have_an_honest_interval(value: float) -> None:
    def summary(table: Rows, index: np.ndarray) -> dict[str, float]:  # type: ignore[type-arg]
        return {"error": float(table["error"][index].mean())}

    found = bootstrap(rows(np.full(N, value)), summary, patients=PATIENTS, n=50)["error"]
    assert found.low == pytest.approx(value) == found.high and not found.reason


def test_a_metric_that_is_a_text_is_named() -> None:
    with pytest.raises(CodeError, match="a number as 'error'; found 'good'"):
        bootstrap(rows(np.arange(N)), lambda r, i: {"error": "good"}, patients=PATIENTS, n=2)  # type: ignore[dict-item]
