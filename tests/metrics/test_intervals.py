"""The bootstrap against theory, and what it does where there is nothing to resample."""

import time

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.metrics import Rows, bootstrap, mask, scores
from vesalius.metrics._intervals import resample


def mean(rows, index):
    return {"mean": float(rows["x"][index].mean())}


def table(x):
    return Rows(tuple(str(i) for i in range(len(x))), {"x": np.asarray(x, float)})


def test_one_case_a_patient_agrees_with_the_normal_interval():
    x = np.random.default_rng(0).normal(10, 2, 400)
    found = bootstrap(table(x), mean, patients=range(400), n=2000)["mean"]
    half = 1.96 * x.std(ddof=1) / np.sqrt(400)
    assert found.value == pytest.approx(x.mean())
    assert found.low == pytest.approx(x.mean() - half, abs=0.03)
    assert found.high == pytest.approx(x.mean() + half, abs=0.03)
    assert found.n == 400


def test_cases_of_a_patient_are_not_independent():
    patients = np.repeat(np.arange(20), 50)
    x = np.random.default_rng(0).normal(0, 1, 20)[patients]  # all of a patient's cases alike
    naive = bootstrap(table(x), mean, patients=range(1000))["mean"]
    honest = bootstrap(table(x), mean, patients=patients.tolist())["mean"]
    assert honest.high - honest.low > 4 * (naive.high - naive.low)


def test_a_resample_draws_patients_and_then_their_cases():
    patients = ["a"] * 3 + ["b"] * 2 + ["c"]
    for index in resample(patients, np.random.default_rng(0), 50):
        drawn = [patients[i] for i in index]
        many = {p: drawn.count(p) for p in "abc"}
        assert many["a"] % 3 == 0 and many["b"] % 2 == 0
        assert many["a"] // 3 + many["b"] // 2 + many["c"] == 3
    within = {tuple(sorted(i)) for i in resample(["a"] * 3, np.random.default_rng(0), 500)}
    assert (0, 0, 0) in within and (0, 1, 2) in within


def test_one_patient_has_no_interval_and_says_why():
    found = bootstrap(table([1, 2, 3]), mean, patients=["p"] * 3)["mean"]
    assert found.value == 2 and found.low is None and found.high is None and "one patient" in found.reason


def test_undefined_resamples_are_counted():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    rows = scores.from_arrays(p, np.array([0, 1, 0]), labels=["no", "yes"])
    found = bootstrap(rows, scores.summary, patients=range(3))
    # all three draws negative with chance (2/3)³, all positive with (1/3)³
    assert found["auc"].undefined / 1000 == pytest.approx((8 + 1) / 27, abs=0.05)
    assert found["auc"].low is not None and found["accuracy"].undefined == 0
    one = scores.from_arrays(p, np.zeros(3, int), labels=["no", "yes"])
    auc = bootstrap(one, scores.summary, patients=range(3))["auc"]
    assert auc.value is None and auc.low is None and "not defined" in auc.reason


def test_the_same_seed_gives_the_same_interval_whatever_patients_are_called():
    x = np.random.default_rng(0).normal(0, 1, 30)
    a = bootstrap(table(x), mean, patients=[f"p{i:02d}" for i in range(30)], n=200, seed=3)
    assert a == bootstrap(table(x), mean, patients=[f"p{i:02d}" for i in range(30)], n=200, seed=3)
    assert a != bootstrap(table(x), mean, patients=[f"p{i:02d}" for i in range(30)], n=200, seed=4)


def test_ten_thousand_cases_take_seconds():
    rng = np.random.default_rng(0)
    rows = scores.from_arrays(rng.dirichlet([1, 1], 10_000), rng.integers(0, 2, 10_000), labels=["a", "b"])
    began = time.process_time()
    bootstrap(rows, scores.summary, patients=[i // 4 for i in range(10_000)], n=100)
    assert time.process_time() - began < 3


def test_mistakes_are_named():
    with pytest.raises(DataError, match="one patient a case"):
        bootstrap(table([1, 2]), mean, patients=["a"])
    with pytest.raises(DataError, match="no cases"):
        bootstrap(table([]), mean, patients=[])
    with pytest.raises(DataError, match="row a case"):
        Rows(("a",), {"x": np.zeros(2)})


def test_a_metric_that_speaks_of_one_case_has_no_interval_and_says_why():
    one = {"hd95_mm/liver": 12.0, "dice/liver": 0.8}
    rows = mask.table([one, {"dice/liver": 0.0}, {"dice/liver": 0.5}], ["a", "b", "c"])
    found = bootstrap(rows, mask.summary, patients="abc", counts=mask.counts(rows))
    hd95 = found["hd95_mm/liver"]
    assert (hd95.value, hd95.low, hd95.high, hd95.n) == (12.0, None, None, 1) and "one case" in hd95.reason
    assert found["dice/liver"].low is not None
