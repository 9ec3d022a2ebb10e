"""Moments against NumPy, whole and merged."""

import numpy as np
import pytest

from vesalius.core.moments import Moments

X = np.random.default_rng(0).normal(50, 12, 101)


@pytest.mark.parametrize("cut", [0, 1, 40, 101])
def test_parts_merged_are_the_whole(cut: int) -> None:
    found = Moments.of(X[:cut]).merged(Moments.of(X[cut:]))
    assert (found.n, found.low, found.high) == (101, X.min(), X.max())
    assert found.mean == pytest.approx(X.mean(), rel=1e-14) and found.sd == pytest.approx(X.std(), rel=1e-12)


def test_of_nothing_and_of_one() -> None:
    assert Moments().sd == 0 and Moments.of([7]).merged(Moments()) == Moments(1, 7.0, 0.0, 7.0, 7.0)


def test_a_large_mean_does_not_swallow_the_spread() -> None:
    assert Moments.of([1e9, 1e9 + 1, 1e9 + 2]).sd == pytest.approx(np.std([0, 1, 2]))
