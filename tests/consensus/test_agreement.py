"""Agreement against published and independent figures, and joining with a model by hand."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from tests.consensus.test_latent import drawn
from tests.consensus.test_staple import box, patterns_of

from vesalius.consensus.agreement import cohen, fleiss, of_classes, of_masks
from vesalius.consensus.crowd import crowd
from vesalius.consensus.dawid_skene import dawid_skene
from vesalius.consensus.patterns import UNSEEN
from vesalius.consensus.patterns import of_classes as patterns_of_classes
from vesalius.consensus.skill import skills
from vesalius.core.errors import DataError

# 10 subjects judged by 14 raters in 5 categories: the worked example of Fleiss' kappa, 0.210
FLEISS = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip


def test_fleiss_kappa_is_that_of_the_worked_example():
    calls = np.array([np.repeat(np.arange(5), row) for row in FLEISS])
    assert fleiss(calls, np.ones(10), labels=5) == pytest.approx(0.210, abs=5e-4)


def test_cohens_kappa_is_that_of_scikit_learn_on_what_both_saw():
    _, calls = drawn(0, 120, (0.8, 0.7, 0.9), labels=3, unseen=0.2)
    found = of_classes(patterns_of_classes(calls, experts="abc", labels="xyz"), resamples=20)
    for (i, j), own in found.pairs.items():
        both = (calls[:, [i, j]] >= 0).all(1)
        assert own["kappa"].value == pytest.approx(cohen_kappa_score(calls[both, i], calls[both, j]))
        assert own["kappa"].n == both.sum()
        assert own["kappa"].low < own["kappa"].value < own["kappa"].high


def test_kappa_of_one_call_alone_is_not_defined():
    assert np.isnan(cohen(np.array([[9.0, 0], [0, 0]])))


def test_dice_of_two_experts_leaves_out_cases_that_neither_marked():
    held, _ = patterns_of([box(2, 6), box(4, 8)], [box(0, 0), box(0, 0)], [box(0, 0), box(1, 3)])
    found = of_masks(held, resamples=20)
    assert found.pairs[(0, 1)]["liver"].value == pytest.approx((2 * 4 / 32 + 0) / 2)
    assert found.pairs[(0, 1)]["liver"].n == 2


def test_intervals_are_over_patients_and_not_over_their_cases():
    _, calls = drawn(1, 60, (0.8, 0.8, 0.8))
    alone = patterns_of_classes(calls, experts="abc", labels="xy")
    copies = patterns_of_classes(
        np.repeat(calls, 9, axis=0), experts="abc", labels="xy", patients=[str(k // 9) for k in range(540)]
    )
    widths = []
    for held in (alone, copies):
        figure = of_classes(held, resamples=100).all["fleiss_kappa"]
        widths.append(figure.high - figure.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.01)


def test_skill_holds_the_truth_and_is_the_share_of_right_calls():
    right = (0.92, 0.8, 0.7)
    truth, calls = drawn(4, 400, right)
    held = patterns_of_classes(calls, experts="abc", labels="xy")
    _, found = dawid_skene(held)
    for e, own in enumerate(skills(held, found, resamples=40)):
        assert own.accuracy.low <= (calls[:, e] == truth).mean() <= own.accuracy.high
        assert abs(own.accuracy.value - (calls[:, e] == truth).mean()) < 0.05
        np.testing.assert_allclose(own.confusion.sum(1), 1)
        assert own.cases == 400


def test_a_model_and_experts_together_by_hand():
    """Three cases of two classes: A says 0 1 1, B says 0 1 -, and the model agrees with both in the first two."""
    calls = np.array([[0, 0], [1, 1], [1, UNSEEN]])
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    found = crowd(calls, p)
    # agreement of the two cases that both saw is 1; the usual class is 1, wrong in 1 of these 2; so every weight is 1
    assert found.agreement == 1.0
    np.testing.assert_allclose(found.weights, [1.0, 1.0])
    model = 1 * np.sqrt(5 / 3)  # no error in these two cases, and 5 calls in 3 cases
    assert found.model == pytest.approx(model)
    last = (model * p[2] + np.array([0.0, 1.0])) / (model + 1)
    np.testing.assert_allclose(found.joined.p[2], last)
    with pytest.raises(DataError, match="two experts"):
        crowd(np.array([[0, UNSEEN]]), np.array([[1.0, 0.0]]))
    with pytest.raises(DataError, match="sums to 1"):
        crowd(calls, p * 2)
