"""Calibration recovers what was distorted, and thresholds do what their rule says."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn import metrics as sk

from vesalius.core.calibration import apply, fit, temperature, threshold
from vesalius.core.errors import DataError

RNG = np.random.default_rng(0)


def test_applied_is_softmax_or_sigmoid_after_division():
    logits = RNG.normal(0, 5, (7, 3))
    assert np.allclose(apply({}, logits), softmax(logits, axis=1))
    assert np.allclose(apply({"temperature": 2.5}, logits), softmax(logits / 2.5, axis=1))
    assert np.allclose(apply({"temperature": 2.5}, logits, multilabel=True), expit(logits / 2.5))
    assert np.isfinite(apply({}, np.array([1e4, -1e4]))).all()
    assert np.isfinite(apply({}, np.array([1e4, -1e4]), multilabel=True)).all()


@pytest.mark.parametrize("heat", [0.4, 1.0, 3.0])
def test_the_temperature_that_distorted_is_found(heat):
    logits = RNG.normal(0, 2, (20_000, 3))
    y = (softmax(logits, axis=1).cumsum(1) < RNG.random((20_000, 1))).sum(1)
    assert temperature(logits * heat, y) == pytest.approx(heat, rel=0.06)


def test_multilabel_temperature_ignores_unknown_bits():
    logits = RNG.normal(0, 2, (20_000, 2))
    y = (RNG.random(logits.shape) < expit(logits)).astype(int)
    y[:, 1] = -1
    assert temperature(logits * 2, y, multilabel=True) == pytest.approx(2, rel=0.06)


def test_separable_data_do_not_run_away():
    logits = np.array([[5.0, -5.0], [-5.0, 5.0]])
    assert 0.9 < temperature(logits, np.array([0, 1])) <= 1
    assert 0.2 < temperature(logits / 5, np.array([0, 1])) < 0.9


def test_threshold_is_best_by_brute_force():
    p = np.round(RNG.random(80), 2)
    truth = RNG.random(80) < p
    measures = {
        "balanced_accuracy": sk.balanced_accuracy_score,
        "accuracy": sk.accuracy_score,
        "f1": sk.f1_score,
    }
    for rule, measure in measures.items():
        best = max(measure(truth, p >= t) for t in np.unique(p))
        assert measure(truth, p >= threshold(p, truth, rule=rule)) == pytest.approx(best)


def test_of_equals_the_nearest_one_half():
    assert threshold(np.array([0.1, 0.9]), np.array([False, True])) == 0.5
    assert threshold(np.array([0.8, 0.9]), np.array([False, True])) == pytest.approx(0.85)
    assert threshold(np.array([0.1, 0.2]), np.array([True, True])) == 0.5


def test_fit_gives_what_the_bundle_keeps():
    logits = RNG.normal(0, 1, (50, 2))
    y = np.arange(50) % 2
    found = fit(logits, y, labels=["malignant", "benign"], positive="malignant")
    assert set(found["thresholds"]) == {"malignant"} and found["rule"] == "balanced_accuracy"
    assert fit(logits, y, labels=["a", "b"], rule=None)["thresholds"] == {}
    bits = (RNG.random((50, 2)) > 0.5).astype(int)
    assert set(fit(logits, bits, labels=["a", "b"], multilabel=True)["thresholds"]) == {"a", "b"}
    three = fit(RNG.normal(0, 1, (50, 3)), np.arange(50) % 3, labels=list("abc"))
    assert three["thresholds"] == {}
    with pytest.raises(DataError, match="finite"):
        fit(logits[:0], y[:0], labels=["a", "b"])
