"""Metrics of Value against scikit-learn and SciPy."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from vesalius.core.answers.value import Value
from vesalius.core.errors import DataError
from vesalius.metrics import value

RNG = np.random.default_rng(0)
Y = np.round(RNG.normal(50, 10, 80))
X = np.round(Y + RNG.normal(2, 8, 80))


def test_agrees_with_scikit_learn_and_scipy():
    found = value.summary(value.from_arrays(X, Y), np.arange(80))
    assert found == pytest.approx(
        {
            "mae": sk.mean_absolute_error(Y, X),
            "rmse": sk.root_mean_squared_error(Y, X),
            "r2": sk.r2_score(Y, X),
            "pearson": stats.pearsonr(X, Y).statistic,
            "spearman": stats.spearmanr(X, Y).statistic,
            "bias": (X - Y).mean(),
        }
    )


def test_without_variation_nothing_is_explained():
    found = value.summary(value.from_arrays(np.arange(4.0), np.ones(4)), np.arange(4))
    assert math.isnan(found["r2"]) and math.isnan(found["spearman"]) and found["mae"] == 1


def test_rows_from_answers():
    rows = value.rows([Value(x=1.0, unit="years", case_id="a"), Value(x=3.0, unit="years")], [2.0, 3.0])
    assert rows.info["unit"] == "years" and value.summary(rows, np.arange(2))["mae"] == 0.5
    with pytest.raises(DataError, match="units"):
        value.rows([Value(x=1.0, unit="years"), Value(x=3.0, unit="days")], [2.0, 3.0])
    with pytest.raises(DataError, match="finite"):
        value.from_arrays(np.array([np.nan]), np.array([1.0]))


def test_baseline_explains_nothing():
    guess = value.baseline(Y)
    assert value.summary(value.from_arrays(np.full(80, guess), Y), np.arange(80))["r2"] == pytest.approx(0)


def test_equal_truths_whose_mean_is_off_by_a_rounding_do_not_vary():
    truth = np.full(3, 0.1)
    assert truth.mean() != 0.1 and np.isnan(value.figures(truth + 1, truth)["r2"])
