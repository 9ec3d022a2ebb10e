"""Figures of a resample by how often it holds each patient, against those of a table with each patient so often."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from _curves_plain import figures

from vesalius.core.answers.curve import Curve
from vesalius.core.case import Event
from vesalius.metrics import Rows, _curve_pairs, curve, resample

DAYS = np.arange(1, 40) * 60.0


def table(
    n: int, seed: int, *, causes: bool = False, late: bool = False, ties: bool = False, gaps: bool = False
) -> Rows:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    risk = np.round(z + 0.5 * rng.normal(size=n), 0 if ties else 9)
    event, leave = rng.exponential(1200 * np.exp(-z)), rng.uniform(200, 2600, n)
    time = np.maximum(np.ceil(np.minimum(event, leave) / (200 if ties else 1)) * (200 if ties else 1), 1)
    answers, truths = [], []
    for k in range(n):
        days = DAYS[: len(DAYS) - (k % 3 if gaps else 0)]
        line = np.exp(-days / 1200 * np.exp(0.8 * risk[k]))
        told = {"": {"a": (1 - line) * 0.6, "b": (1 - line) * 0.4}} if causes else None
        answers.append(
            Curve(times_days=days, survival={"": line}, incidence=told, risk=float(risk[k]), case_id=str(k))
        )
        happened = bool(event[k] <= leave[k])
        cause = ("a", "b")[k % 2] if causes and happened else None
        entry = 0.4 * float(time[k]) if late and k % 3 else None
        truths.append(Event(float(time[k]), happened, cause=cause, entry_days=entry))
    return curve.rows(answers, truths)


def each(rows: Rows, seed: int) -> Iterator[np.ndarray]:
    """All patients, some without repetition, resamples, and one with hardly any event."""
    n = len(rows)
    yield np.arange(n)
    yield np.random.default_rng(seed).permutation(n)[: n // 2]
    yield from resample([k // 2 for k in range(n)], np.random.default_rng(seed), 8)
    yield np.repeat(np.arange(n)[-3:], 4)


@pytest.mark.parametrize(
    "how",
    [{}, {"ties": True}, {"causes": True}, {"late": True}, {"gaps": True}, {"causes": True, "gaps": True}],
)
def test_counting_patients_is_drawing_them(how: dict[str, bool]) -> None:
    rows = table(120, 3, **how)
    compared = 0
    for index in each(rows, 5):
        found, plain = curve.summary(rows, index), figures(rows, "", index)
        assert list(found) == list(plain)
        for name, value in plain.items():
            assert found[name] == pytest.approx(value, rel=1e-12, abs=1e-12, nan_ok=True), name
            compared += bool(np.isfinite(value))
    assert compared > 50


def test_so_many_pairs_are_ranked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, few = table(60, 9, causes=True), table(60, 9)
    held = [[curve.summary(t, i) for i in each(t, 1)] for t in (rows, few)]
    monkeypatch.setattr(_curve_pairs, "MOST", 10)
    again = [[curve.summary(t, i) for i in each(t, 1)] for t in (table(60, 9, causes=True), table(60, 9))]
    for one, other in zip(held, again, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a == pytest.approx(b, rel=1e-12, abs=1e-12, nan_ok=True)


def test_a_risk_that_is_not_known_counts_where_it_is_drawn() -> None:
    rows = table(60, 11)
    rows["risk"][7] = np.nan
    assert np.isnan(curve.summary(rows, np.arange(60))["c_index"])
    rest = np.delete(np.arange(60), 7)
    assert curve.summary(rows, rest)["c_index"] == pytest.approx(figures(rows, "", rest)["c_index"])
