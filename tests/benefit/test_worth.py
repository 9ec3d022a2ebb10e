"""Policy value, calibration of benefit and C-for-benefit, by hand and by loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.benefit._made import ARMS, SURVIVAL, draw

import vesalius.benefit
from vesalius.benefit import pairs as pairs_module
from vesalius.benefit.measure import Measure
from vesalius.benefit.pairs import c_for_benefit, known_weights
from vesalius.benefit.policy import by_benefit, by_outcome, policy_value
from vesalius.benefit.quintiles import calibration
from vesalius.benefit.robust import Scored
from vesalius.benefit.trial import Trial
from vesalius.core.errors import DataError
from vesalius.survival.observed import observed


def test_a_rule_is_worth_the_mean_of_the_scores_it_chooses() -> None:
    scores = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.75], [9.0, -9.0]])
    scored = Scored(scores, np.full((4, 2), 0.5), np.array([True, True, True, False]), ARMS, SURVIVAL)
    found = policy_value(scored, np.array([1, 0, 1, 0]))
    assert found.value.value == pytest.approx((1 + 1 + 0.75) / 3)
    assert (found.value.n, found.value.left_out) == (3, 1)
    assert found.all_given["control"].value == pytest.approx(0.5)
    assert found.gain["treated"].value == pytest.approx((0 + 1 + 0) / 3)
    assert found.gain["treated"].error == pytest.approx(np.std([0, 1, 0], ddof=1) / np.sqrt(3))  # paired
    assert found.share == {"control": pytest.approx(1 / 3), "treated": pytest.approx(2 / 3)}
    everybody = policy_value(scored, np.ones(4))
    assert everybody.gain["treated"].value == 0 == everybody.gain["treated"].error
    with pytest.raises(DataError, match="one of the arms"):
        policy_value(scored, np.array([0, 1, 2, 0]))


def test_rules_of_predictions() -> None:
    assert by_outcome(np.array([[0.2, 0.3], [0.4, 0.1], [0.5, 0.5]])).tolist() == [1, 0, 0]
    assert by_benefit(np.array([0.01, 0.05, -0.2]), control=0, treated=1, margin=0.02).tolist() == [0, 1, 0]


def test_calibration_of_groups_and_its_slope() -> None:
    rng = np.random.default_rng(0)
    p = rng.permutation(np.repeat(np.arange(5.0), 20))
    score = 2 * p + rng.normal(size=100) * (1 + p)
    found = calibration(p, score)
    assert found.predicted == (0, 1, 2, 3, 4)
    for k, group in enumerate(found.found):
        assert group.value == pytest.approx(score[p == k].mean()) and group.n == 20
    assert found.slope is not None
    assert found.slope.value == pytest.approx(np.polyfit(p, score, 1)[0])
    design = np.column_stack([np.ones(100), p])
    inverse = np.linalg.inv(design.T @ design)
    left = score - design @ (inverse @ design.T @ score)
    sandwich = inverse @ (design.T @ np.diag(left**2) @ design) @ inverse * 100 / 98
    assert found.slope.error == pytest.approx(np.sqrt(sandwich[1, 1]))


def test_equal_predictions_stay_together_and_tell_no_slope() -> None:
    score = np.arange(60.0)
    same = calibration(np.full(60, 0.3), score)
    assert same.slope is None and len(same.found) == 1 and same.found[0].value == pytest.approx(29.5)
    two = calibration(np.r_[np.zeros(45), np.ones(15)], score)
    assert [g.n for g in two.found] == [45, 15]
    with pytest.raises(DataError, match="50 patients or more"):
        calibration(np.arange(49.0), np.arange(49.0))


def pairs(control: list[float], treated: list[float], predicted: list[float]) -> tuple[Trial, np.ndarray]:
    """Patients in the order of their predictions, first all of control."""
    time = np.array(control + treated)
    arm = np.r_[np.zeros(len(control), int), np.ones(len(treated), int)]
    return Trial(np.zeros((len(time), 1)), ("x",), arm, ARMS, observed(time, time < 10), True), np.array(
        predicted
    )


def test_c_for_benefit_by_hand() -> None:
    """Eight pairs in order of prediction, whose outcomes at day 5 differ by what stands here; two predict the same."""
    expected, benefit = [0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [0, 1, -1, 1, 1, 0, 0, 0]
    made, p = pairs([9, 1, 9, 1, 1, 10, 10, 10], [9, 9, 1, 9, 9, 10, 10, 10], expected * 2)
    right = total = 0.0
    for i in range(8):
        for j in range(8):
            if benefit[i] > benefit[j]:
                total += 1
                right += 1.0 if expected[i] > expected[j] else 0.5 if expected[i] == expected[j] else 0.0
    found = c_for_benefit(
        p, made, Measure(5.0), control="control", treated="treated", rng=np.random.default_rng(0)
    )
    assert found.value == pytest.approx(right / total) and found.n == 8
    assert found.low <= found.value <= found.high


def test_censored_patients_count_nothing_and_others_more() -> None:
    time, event = np.array([2.0, 3.0, 3.0, 5.0, 8.0, 9.0]), np.array([1, 0, 1, 0, 0, 1])
    made = Trial(np.zeros((6, 1)), ("x",), np.zeros(6, int), ("a",), observed(time, event), True)
    after_first = 1 - 1 / 4  # at day 3 one of four who are left, for who died on that day went before
    expected = [1, 0, 1, 1 / after_first, 1 / after_first, 1 / after_first]
    assert known_weights(made, Measure(5.0)) == pytest.approx(expected)
    assert known_weights(made, Measure(6.0))[3] == 0
    assert known_weights(made, Measure(6.0))[4] == pytest.approx(1 / (after_first * (1 - 1 / 3)))


def test_c_for_benefit_needs_arms_that_chance_chose() -> None:
    made = draw(100, 1, confounded=True)
    with pytest.raises(DataError, match="only where chance decided"):
        c_for_benefit(
            made.x[:, 1], made, SURVIVAL, control="control", treated="treated", rng=np.random.default_rng(0)
        )


def test_c_for_benefit_finds_who_gains() -> None:
    made = draw(700, 3, effect=-1.5)
    found = c_for_benefit(
        made.x[:, 1], made, SURVIVAL, control="control", treated="treated", rng=np.random.default_rng(0)
    )
    turned = c_for_benefit(
        -made.x[:, 1], made, SURVIVAL, control="control", treated="treated", rng=np.random.default_rng(0)
    )
    assert found.low > 0.5 > turned.high


def test_no_figure_of_benefit_is_a_c_index() -> None:
    """A C-index tells who is at risk, which is no reason to treat: the room computes none."""
    room = Path(vesalius.benefit.__file__).parent
    for path in room.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "survival.scores" not in text and "harrell" not in text and "uno_c" not in text, path.name
    assert "no reason to treat" in (pairs_module.__doc__ or "")
