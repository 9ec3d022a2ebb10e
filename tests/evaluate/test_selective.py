"""Risk and coverage: the curve by hand, its area against its definition, and a bound that holds over draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vesalius.core.errors import DataError
from vesalius.evaluate import selective
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import scores


def test_the_curve_by_hand_and_ties_share_their_loss() -> None:
    sure, loss = np.array([0.9, 0.6, 0.8, 0.6]), np.array([0.0, 1.0, 1.0, 0.0])
    assert selective.curve(sure, loss).tolist() == pytest.approx([0, 1 / 2, 1.5 / 3, 2 / 4])
    found = selective.figures(sure, loss)
    assert found["aurc"] == pytest.approx((0 + 0.5 + 0.5 + 0.5) / 4)
    assert found["gain"] == pytest.approx(0.5 - 0.375)
    assert found["risk@0.5"] == 0.5 and found["risk@0.8"] == 0.5
    assert selective.figures(np.ones(4), loss)["gain"] == pytest.approx(
        0
    )  # all are equally sure: a random order


def test_the_mean_over_orders_of_ties_is_what_a_tie_counts() -> None:
    rng = np.random.default_rng(0)
    sure, loss = rng.integers(0, 4, 40).astype(float), rng.random(40)
    several = [selective.curve(sure + rng.random(40) * 1e-6, loss) for _ in range(3000)]
    assert selective.curve(sure, loss) == pytest.approx(np.mean(several, axis=0), abs=0.02)


def test_the_error_of_those_answered_stays_below_the_bound() -> None:
    rng = np.random.default_rng(3)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        sure = rng.uniform(0.5, 1, n)
        return sure, rng.random(n) > sure  # wrong as often as it is unsure

    broken = none = 0
    for _ in range(300):
        try:
            rule = selective.controlled(*drawn(600), 0.15)
        except DataError:  # on these cases no threshold can be trusted, so that nothing is answered
            none += 1
            continue
        assert rule.error <= rule.bound <= 0.15
        true = (1 - (1 + rule.at) / 2) if rule.at > 0.5 else 0.25  # the mean of 1 - sure above the threshold
        broken += true > 0.15
    assert stats.binom.sf(broken - 1, 300, 0.05) > 0.001  # no more often than 1 in 20
    assert broken < 300 * 0.05 and none < 60


def test_a_bound_that_no_threshold_keeps_is_said() -> None:
    with pytest.raises(DataError, match="no threshold keeps the error at 1 % or less with 95 % confidence"):
        selective.controlled(np.linspace(0, 1, 30), np.zeros(30, bool), 0.01)  # 0 of 30 is not yet below 1 %
    assert selective.controlled(np.linspace(0, 1, 3000), np.zeros(3000, bool), 0.01).answered == 1.0


def test_a_card_has_the_curve_and_no_other_figure_changes() -> None:
    rng = np.random.default_rng(5)
    p = rng.dirichlet([0.5, 0.5, 0.5], 300)
    y = np.array([rng.choice(3, p=one) for one in p])
    rows = scores.from_arrays(p, y, labels=("a", "b", "c"))
    card = scorecard(rows, "Scores", split="test", data_hash="", resamples=200)
    sure, wrong = p.max(axis=1), p.argmax(axis=1) != y
    order = np.argsort(-sure)
    risks = np.cumsum(wrong[order]) / np.arange(1, 301)
    found = card.selective["metrics"]
    assert found["aurc"]["value"] == pytest.approx(risks.mean())
    assert found["gain"]["low"] > 0 and found["gain"]["n"] == 300
    assert card.selective["curve"]["y"][-1] == pytest.approx(wrong.mean(), abs=1e-6)
    assert not any(name in card.metrics for name in found)
