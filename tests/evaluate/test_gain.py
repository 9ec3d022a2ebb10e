"""Which of two models is better: the interval by hand, patient by patient, and how often it is wrong by chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vesalius.evaluate.gain import gain


def test_the_interval_of_few_patients_is_students() -> None:
    first = {f"c{k}": 0.5 for k in range(5)}
    second = {"c0": 0.5, "c1": 0.7, "c2": 0.6, "c3": 0.8, "c4": 0.9}
    patients = {"c0": "a", "c1": "a", "c2": "b", "c3": "c", "c4": "d"}
    found = gain(first, second, patients)
    changes = np.array([0.1, 0.1, 0.3, 0.4])  # the two cases of a are one patient
    assert found.mean == pytest.approx(0.225) and found.patients == 4
    half = 3.182446 * changes.std(ddof=1) / 2  # Student's t of 3 degrees of freedom, from a table
    assert (found.low, found.high) == (
        pytest.approx(0.225 - half, abs=1e-6),
        pytest.approx(0.225 + half, abs=1e-6),
    )
    assert not found.sure and str(found) == "+0.225 [-0.0137, +0.464]"


def test_what_is_not_a_number_is_left_out_and_one_patient_has_no_interval() -> None:
    found = gain({"a": 0.1, "b": math.nan}, {"a": 0.3, "b": 0.5}, {})
    assert (found.patients, found.low, found.sure) == (1, None, False) and found.mean == pytest.approx(0.2)
    assert math.isnan(gain({"a": math.nan}, {"a": 1.0}, {}).mean)
    with pytest.raises(ValueError, match="same cases"):
        gain({"a": 0.0}, {"b": 0.0}, {})


@pytest.mark.parametrize("patients", [4, 8, 24])
def test_two_that_are_alike_are_seldom_told_apart(patients: int) -> None:
    rng = np.random.default_rng(patients)
    wrong, tried = 0, 300
    for k in range(tried):
        change = rng.normal(size=patients)
        zero = {f"c{i}": 0.0 for i in range(patients)}
        wrong += gain(zero, {f"c{i}": float(x) for i, x in enumerate(change)}, {}, seed=k).sure
    assert wrong / tried < 0.025 + 3 * math.sqrt(0.025 * 0.975 / tried), "half of one in twenty, by chance"
