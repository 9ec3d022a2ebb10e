"""Rank-weighted effects against the definition, and their intervals against redrawn data."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.benefit.ranked import SHARES, rank_weighted
from vesalius.core.errors import DataError


def defined(priority: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """AUTOC and Qini as means over how many patients are put first, from the definition."""
    order = np.argsort(-priority, kind="stable")
    tied = np.array([score[priority == p].mean() for p in priority])[order]
    n = len(score)
    gains = [tied[:k].mean() - score.mean() for k in range(1, n + 1)]
    return float(np.mean(gains)), float(np.mean([g * k / n for k, g in enumerate(gains, 1)]))


@pytest.mark.parametrize("levels", [10_000, 6, 1], ids=["no ties", "ties", "one level"])
def test_both_are_what_they_are_defined_as(levels: int) -> None:
    rng = np.random.default_rng(levels)
    priority = rng.integers(0, levels, 57).astype(float)
    score = priority / levels + rng.normal(size=57)
    found = rank_weighted(priority, score, rng=rng, draws=20)
    assert (found.autoc.value, found.qini.value) == pytest.approx(defined(priority, score), abs=1e-12)
    assert found.gain[-1] == pytest.approx(0, abs=1e-12) and found.low[-1] == pytest.approx(0, abs=1e-12)
    if levels == 1:
        assert found.autoc.value == pytest.approx(0, abs=1e-12) and found.autoc.width < 1e-9


def test_by_hand_and_turned_around() -> None:
    """The best ten of twenty gain 1: TOC is ½ up to the tenth, then 10 / k − ½; turned around −½, then ½ − 10 / k."""
    score = np.r_[np.ones(10), np.zeros(10)]
    found = rank_weighted(-np.arange(20.0), score, rng=np.random.default_rng(0), draws=20)
    gains = [0.5] * 10 + [10 / k - 0.5 for k in range(11, 21)]
    assert found.autoc.value == pytest.approx(np.mean(gains))
    assert found.gain == pytest.approx(gains) and tuple(found.shares) == SHARES
    assert found.qini.value == pytest.approx(np.mean([g * k / 20 for k, g in enumerate(gains, 1)]))
    assert rank_weighted(np.arange(20.0), score, rng=np.random.default_rng(0), draws=20).autoc.value == (
        pytest.approx(np.mean([-0.5] * 10 + [(k - 10) / k - 0.5 for k in range(11, 21)]))
    )


def test_half_samples_show_the_error_of_the_whole() -> None:
    rng = np.random.default_rng(3)
    each = []
    for _ in range(200):
        priority = rng.normal(size=80)
        each.append(rank_weighted(priority, 0.4 * priority + rng.normal(size=80), rng=rng, draws=50))
    for name in ("autoc", "qini"):
        spread = np.std([getattr(e, name).value for e in each])
        assert np.mean([getattr(e, name).error for e in each]) == pytest.approx(spread, rel=0.15), name
    truth = 0.4 * 0.903  # E[Z (−ln(1 − Φ(Z)) − 1)] of a standard normal is 0.903, by quadrature
    assert np.mean([e.autoc.holds(truth) for e in each]) > 0.9


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(DataError, match="20 patients or more"):
        rank_weighted(np.arange(19.0), np.arange(19.0), rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="finite priority"):
        rank_weighted(np.full(30, np.nan), np.arange(30.0), rng=np.random.default_rng(0))
