"""Metrics of Scores against scikit-learn and hand-computed values."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from vesalius.core.answers.scores import Scores
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, UnknownName
from vesalius.metrics import scores

RNG = np.random.default_rng(0)
N = 300
P2 = np.round(RNG.dirichlet([1, 1], N), 2)  # rounded, so that ties occur
P2[:, 0] = 1 - P2[:, 1]
Y2 = (RNG.random(N) < 0.3 + 0.4 * P2[:, 1]).astype(int)
P4 = RNG.dirichlet([1, 1, 1, 1], N)
Y4 = RNG.integers(0, 4, N)
ALL = np.arange(N)


def test_binary_agrees_with_scikit_learn():
    rows = scores.from_arrays(P2, Y2, labels=["no", "yes"], positive="yes")
    found = scores.summary(rows, ALL)
    called = P2.argmax(1)
    wanted = {
        "accuracy": sk.accuracy_score(Y2, called),
        "balanced_accuracy": sk.balanced_accuracy_score(Y2, called),
        "precision": sk.precision_score(Y2, called),
        "recall": sk.recall_score(Y2, called),
        "specificity": sk.recall_score(Y2, called, pos_label=0),
        "f1": sk.f1_score(Y2, called),
        "auc": sk.roc_auc_score(Y2, P2[:, 1]),
        "average_precision": sk.average_precision_score(Y2, P2[:, 1]),
        "brier": sk.brier_score_loss(Y2, P2[:, 1]),
        "log_loss": sk.log_loss(Y2, np.clip(P2, 1e-15, 1)),
    }
    assert {k: found[k] for k in wanted} == pytest.approx(wanted)
    assert set(found) == set(wanted) | {"ece"}


def test_the_positive_class_may_be_the_first():
    rows = scores.from_arrays(P2, Y2, labels=["malignant", "benign"], positive="malignant")
    found = scores.summary(rows, ALL)
    assert found["auc"] == pytest.approx(sk.roc_auc_score(Y2 == 0, P2[:, 0]))
    assert found["recall"] == pytest.approx(sk.recall_score(Y2, P2.argmax(1), pos_label=0))


def test_many_classes_agree_with_scikit_learn():
    rows = scores.from_arrays(P4, Y4, labels=list("abcd"))
    found = scores.summary(rows, ALL)
    called = P4.argmax(1)
    hot = np.eye(4)[Y4]
    assert found["auc"] == pytest.approx(sk.roc_auc_score(Y4, P4, multi_class="ovr"))
    assert found["auc/c"] == pytest.approx(sk.roc_auc_score(Y4 == 2, P4[:, 2]))
    assert found["average_precision"] == pytest.approx(sk.average_precision_score(hot, P4))
    assert found["f1"] == pytest.approx(sk.f1_score(Y4, called, average="macro"))
    assert found["precision"] == pytest.approx(sk.precision_score(Y4, called, average="macro"))
    assert found["recall"] == pytest.approx(found["balanced_accuracy"])
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(Y4, called))
    assert found["brier"] == pytest.approx(((P4 - hot) ** 2).sum(1).mean())
    assert found["log_loss"] == pytest.approx(sk.log_loss(Y4, P4))
    tn = ((called != 1) & (Y4 != 1)).sum()
    assert found["specificity/b"] == pytest.approx(tn / (Y4 != 1).sum())


def test_a_resample_counts_its_repeats():
    index = np.random.default_rng(1).integers(0, N, N)
    rows = scores.from_arrays(P4, Y4, labels=list("abcd"))
    again = scores.from_arrays(P4[index], Y4[index], labels=list("abcd"))
    assert scores.summary(rows, index) == pytest.approx(scores.summary(again, ALL))


def test_multilabel_agrees_with_scikit_learn_and_leaves_unknown_bits_out():
    y = (RNG.random((N, 4)) < P4 + 0.2).astype(int)
    rows = scores.from_arrays(P4, y, labels=list("abcd"), kind="multilabel", thresholds={"b": 0.3})
    found = scores.summary(rows, ALL)
    called = P4 >= [0.5, 0.3, 0.5, 0.5]
    assert found["auc"] == pytest.approx(sk.roc_auc_score(y, P4))
    assert found["f1"] == pytest.approx(sk.f1_score(y, called, average="macro", zero_division=0))
    assert found["exact_match"] == pytest.approx(sk.accuracy_score(y, called))
    assert found["accuracy"] == pytest.approx((y == called).mean())
    assert found["brier/b"] == pytest.approx(sk.brier_score_loss(y[:, 1], P4[:, 1]))
    assert found["log_loss/b"] == pytest.approx(sk.log_loss(y[:, 1], P4[:, 1]))
    y[:100, 2] = -1
    rows = scores.from_arrays(P4, y, labels=list("abcd"), kind="multilabel")
    found = scores.summary(rows, ALL)
    assert found["auc/c"] == pytest.approx(sk.roc_auc_score(y[100:, 2], P4[100:, 2]))
    assert scores.counts(rows)["auc/c"] == 200
    assert scores.excluded(rows) == {"unknown/c": 100}


def test_threshold_moves_the_call_and_not_the_ranking():
    loose = scores.from_arrays(P2, Y2, labels=["no", "yes"], positive="yes", thresholds={"yes": 0.1})
    plain = scores.from_arrays(P2, Y2, labels=["no", "yes"], positive="yes")
    a, b = scores.summary(loose, ALL), scores.summary(plain, ALL)
    assert a["recall"] > b["recall"] and a["specificity"] < b["specificity"] and a["auc"] == b["auc"]
    assert a["recall"] == pytest.approx(sk.recall_score(Y2, P2[:, 1] >= 0.1))


def test_ece_by_hand():
    # two answers at 0.9, one right; two at 0.6, both right: (|1.8 - 1| + |1.2 - 2|) / 4
    p = np.array([[0.1, 0.9], [0.1, 0.9], [0.4, 0.6], [0.6, 0.4]])
    rows = scores.from_arrays(p, np.array([1, 0, 1, 0]), labels=["no", "yes"])
    assert scores.summary(rows, np.arange(4))["ece"] == pytest.approx((0.8 + 0.8) / 4)


def test_one_class_only_has_no_auc():
    rows = scores.from_arrays(P2[:5], np.ones(5, int), labels=["no", "yes"])
    found = scores.summary(rows, np.arange(5))
    assert math.isnan(found["auc"]) and math.isnan(found["specificity"]) and 0 <= found["accuracy"] <= 1


def test_precision_without_a_call_is_zero_where_there_was_something_to_call():
    p = np.array([[0.9, 0.1]] * 3)
    found = scores.summary(scores.from_arrays(p, np.array([0, 1, 0]), labels=["no", "yes"]), np.arange(3))
    assert found["precision"] == 0 and found["f1"] == 0
    found = scores.summary(scores.from_arrays(p, np.zeros(3, int), labels=["no", "yes"]), np.arange(3))
    assert math.isnan(found["precision"])


def test_rows_from_answers():
    labels = (Label(0, "benign"), Label(1, "malignant"))
    answers = [
        Scores(labels=labels, p=np.array([1 - q, q]), positive="malignant", case_id=c)
        for q, c in [(0.2, "a"), (0.8, "b")]
    ]
    rows = scores.rows(answers, ["benign", "malignant"])
    assert rows.case_ids == ("a", "b") and scores.summary(rows, np.arange(2))["accuracy"] == 1
    with pytest.raises(UnknownName, match="malignant"):
        scores.rows(answers, ["benign", "malignent"])
    several = [Scores(labels=labels, p=np.array([0.6, 0.2]), kind="multilabel")]
    assert scores.rows(several, [("benign",)])["y"].tolist() == [[1, 0]]


def test_mistakes_are_named():
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        scores.from_arrays(P2 * 2, Y2, labels=["a", "b"])
    with pytest.raises(DataError, match="indexes of labels"):
        scores.from_arrays(P2, Y2 + 1, labels=["a", "b"])
    with pytest.raises(UnknownName):
        scores.from_arrays(P2, Y2, labels=["a", "b"], positive="c")


def test_baseline_is_how_often_each_label_occurs():
    assert scores.baseline(np.array([0, 0, 0, 2]), 3).tolist() == [0.75, 0, 0.25]
    bits = np.array([[1, 0], [1, -1], [0, 1]])
    assert scores.baseline(bits, 2, kind="multilabel") == pytest.approx([2 / 3, 1 / 2])


def test_curves_agree_with_scikit_learn():
    false, hit, at = scores.roc(Y2, P2[:, 1])
    wanted = sk.roc_curve(Y2, P2[:, 1], drop_intermediate=False)
    for a, b in zip((false, hit, at), wanted, strict=True):
        assert np.allclose(a, b)
    recall, precision, _ = scores.precision_recall(Y2, P2[:, 1])
    p, r, _ = sk.precision_recall_curve(Y2, P2[:, 1])
    assert np.allclose(recall, r[-2::-1]) and np.allclose(precision, p[-2::-1])
    assert (scores.confusion(Y4, P4.argmax(1), 4) == sk.confusion_matrix(Y4, P4.argmax(1))).all()


def test_calibration_curve_by_hand():
    sure, share, n = scores.calibration_curve(np.array([0, 1, 1]), np.array([0.1, 0.2, 0.9]), bins=2)
    assert sure == pytest.approx([0.15, 0.9]) and share == pytest.approx([0.5, 1.0]) and n.tolist() == [2, 1]


def test_a_multilabel_metric_speaks_of_the_cases_that_it_could_use():
    y = np.array([[1, 0], [0, -1], [1, -1], [-1, -1]])
    rows = scores.from_arrays(np.full((4, 2), 0.4), y, labels=["a", "b"], kind="multilabel")
    n = scores.counts(rows)
    assert (n["exact_match"], n["auc"], n["auc/a"], n["auc/b"]) == (1, 3, 3, 1)
