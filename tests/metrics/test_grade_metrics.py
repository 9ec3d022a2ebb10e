"""Figures of grades against scikit-learn and values worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn import metrics as sk

from vesalius.core import grades
from vesalius.core.answers.scores import Scores
from vesalius.core.cohort import Label
from vesalius.metrics import scores
from vesalius.metrics._grades import kappa

RNG = np.random.default_rng(0)
N, LABELS = 200, ("none", "mild", "moderate", "severe")
P = RNG.dirichlet([1, 1, 1, 1], N)
Y = np.clip(np.round(grades.expected(P) + RNG.normal(0, 0.8, N)), 0, 3).astype(int)
ALL = np.arange(N)


def rows(**more: object):
    return scores.from_arrays(P, Y, labels=LABELS, kind="ordinal", **more)


def test_kappas_agree_with_scikit_learn_for_both_decisions() -> None:
    for decision, called in ((None, P.argmax(1)), ("median", grades.median(P))):
        found = scores.summary(rows(decision=decision), ALL)
        assert found["kappa"] == pytest.approx(sk.cohen_kappa_score(Y, called, weights="quadratic"))
        assert found["linear_kappa"] == pytest.approx(sk.cohen_kappa_score(Y, called, weights="linear"))
        assert found["mae"] == pytest.approx(sk.mean_absolute_error(Y, called))
        assert found["accuracy"] == pytest.approx(sk.accuracy_score(Y, called))
        assert found["within_one"] == pytest.approx((np.abs(Y - called) <= 1).mean())


def test_a_kappa_by_hand() -> None:
    """Six cases of three grades; quadratic costs 0, 1, 4.

    Cost seen: one call is one off, one two off: 5. By chance, shares of truths (2, 2, 2)/6 and of calls (3, 1, 2)/6:
    Σ cost · truth · called / 6 = (2·1·1 + 2·2·4 + 2·3·1 + 2·2·1 + 2·3·4 + 2·1·1) / 6 = 54 / 6 = 9.
    """
    table = np.array([[2, 0, 0], [0, 1, 1], [1, 0, 1]], dtype=np.float64)
    cost = np.abs(np.subtract.outer(np.arange(3), np.arange(3))) ** 2.0
    assert kappa(table, cost) == pytest.approx(1 - 5 / 9)
    truth, called = [0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 0, 2]
    assert sk.cohen_kappa_score(truth, called, weights="quadratic") == pytest.approx(1 - 5 / 9)


def test_a_call_that_heeds_nothing_has_a_kappa_of_nothing_and_one_grade_alone_has_none() -> None:
    constant = np.tile([0.1, 0.6, 0.2, 0.1], (N, 1))
    found = scores.summary(scores.from_arrays(constant, Y, labels=LABELS, kind="ordinal"), ALL)
    assert found["kappa"] == pytest.approx(0.0) and found["cut_auc"] == pytest.approx(0.5)
    same = scores.from_arrays(constant, np.ones(N, int), labels=LABELS, kind="ordinal")
    assert np.isnan(scores.summary(same, ALL)["kappa"])


def test_cuts_agree_with_scikit_learn_and_the_ranked_score_with_its_definition() -> None:
    found = scores.summary(rows(), ALL)
    over = np.stack([P[:, k:].sum(1) for k in (1, 2, 3)], axis=1)
    areas = [sk.roc_auc_score(k <= Y, over[:, k - 1]) for k in (1, 2, 3)]
    assert [found[f"cut_auc/{name}"] for name in LABELS[1:]] == pytest.approx(areas)
    assert found["cut_auc"] == pytest.approx(np.mean(areas)) and "cut_auc/none" not in found
    upto, truth = np.cumsum(P, axis=1)[:, :3], Y[:, None] <= np.arange(3)
    assert found["rps"] == pytest.approx(((upto - truth) ** 2).mean())
    briers = [sk.brier_score_loss(k <= Y, over[:, k - 1]) for k in (1, 2, 3)]
    assert found["rps"] == pytest.approx(np.mean(briers))  # the mean Brier score of the cuts


def test_certain_answers_are_calibrated_and_a_cut_that_always_says_one_half_is_off_by_its_share() -> None:
    sure = scores.from_arrays(np.eye(4)[Y], Y, labels=LABELS, kind="ordinal")
    found = scores.summary(sure, ALL)
    assert (
        found["cut_ece"] == found["rps"] == found["mae"] == 0 and found["kappa"] == found["within_one"] == 1
    )
    half = np.tile([0.5, 0.0, 0.0, 0.5], (N, 1))
    found = scores.summary(scores.from_arrays(half, Y, labels=LABELS, kind="ordinal"), ALL)
    assert found["cut_ece/severe"] == pytest.approx(abs(0.5 - (Y == 3).mean()))


def test_a_resample_counts_its_repeats() -> None:
    index = np.random.default_rng(1).integers(0, N, N)
    again = scores.from_arrays(P[index], Y[index], labels=LABELS, kind="ordinal", decision="median")
    assert scores.summary(rows(decision="median"), index) == pytest.approx(scores.summary(again, ALL))
    joined = scores.joined(rows(decision="median"), again)
    assert scores.summary(joined, np.arange(N)) == pytest.approx(scores.summary(rows(decision="median"), ALL))


def test_the_order_of_classes_that_exclude_one_another_counts_for_nothing() -> None:
    plain = scores.summary(scores.from_arrays(P, Y, labels=LABELS), ALL)
    ordered = scores.summary(rows(), ALL)
    assert "kappa" not in plain and {name: ordered[name] for name in plain} == plain


def test_answers_are_called_each_by_its_own_decision() -> None:
    p = np.array([0.4, 0.15, 0.05, 0.4])
    one = Scores(labels=tuple(Label(k, n) for k, n in enumerate(LABELS)), p=p, kind="ordinal", case_id="a")
    two = dataclasses.replace(one, decision="median", case_id="b")
    assert scores.rows([one, two], ["none", "mild"])["decided"].tolist() == [0, 1]
    assert one.called == 0 and two.called == 1


def test_the_median_is_the_first_grade_that_one_half_lies_at_or_below() -> None:
    assert grades.median(np.array([[0.5, 0.5], [0.499, 0.501], [0.1, 0.9]])).tolist() == [0, 1, 1]
    every = RNG.dirichlet([0.3] * 5, 500)  # it has the least expected distance
    cost = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    least = (every @ cost).min(axis=1)
    assert (every @ cost)[np.arange(500), grades.median(every)] == pytest.approx(least)
