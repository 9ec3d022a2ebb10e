"""Histograms against NumPy: quantiles to the bit, whole and merged; and what wider bins keep and tell."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vesalius.core.errors import DataError
from vesalius.core.histogram import EXACT, Histogram, rounded

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SOME = st.lists(st.one_of(FLOATS, st.integers(-3, 3).map(float)), min_size=1, max_size=40)


def bits(number: float) -> bytes:
    """Return the bits of a number; zero has no sign."""
    return np.float64(number + 0.0).tobytes()


@settings(max_examples=300, deadline=None)
@given(SOME, st.floats(0, 1))
def test_quantiles_are_numpys_to_the_bit(numbers: list[float], share: float) -> None:
    found = Histogram.of(numbers)
    with np.errstate(over="ignore", invalid="ignore"):
        assert bits(found.median()) == bits(float(np.median(numbers)))
        assert bits(found.quantile(share)) == bits(float(np.quantile(numbers, share)))
    assert (found.low, found.high, found.n) == (min(numbers), max(numbers), len(numbers))


@settings(max_examples=200, deadline=None)
@given(SOME, SOME, SOME, st.integers(1, EXACT))
def test_merging_is_what_one_histogram_of_all_would_be(
    a: list[float], b: list[float], c: list[float], digits: int
) -> None:
    one, two, three = (Histogram.of(x, digits) for x in (a, b, c))
    whole = Histogram.of([*b, *c, *a], digits)
    assert one.merged(two).merged(three) == one.merged(two.merged(three)) == three.merged(two).merged(one)
    assert one.merged(two).merged(three) == whole
    assert one.merged(Histogram(digits=digits)) == one
    assert Histogram.parse(json.loads(json.dumps(whole.json()))) == whole
    assert Histogram.of([*a, *b]).rounded(digits) == one.merged(two)


@settings(max_examples=200, deadline=None)
@given(FLOATS, st.integers(1, EXACT))
def test_a_number_is_rounded_to_its_bin(number: float, digits: int) -> None:
    bin_ = rounded(number, digits)
    assert rounded(bin_, digits) == bin_ and rounded(number, EXACT) == number
    assert math.isfinite(bin_) and abs(bin_ - number) <= abs(number) * 2.0**-digits * (2 if bin_ != 0 else 1)
    assert Histogram.of([number], digits).count(number) == 1


def test_wider_bins_keep_small_whole_numbers_and_move_others_little() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(size=500)
    found = Histogram.of(values).rounded(10)
    assert len(found.bins) < 500 and found.median() == pytest.approx(np.median(values), rel=2**-9)
    whole = [*range(1025), -7]
    assert Histogram.of(whole, 10).bins == tuple(sorted(map(float, whole)))


@given(
    st.lists(st.tuples(st.integers(1, 900), st.floats(0.05, 9)), min_size=1, max_size=30), st.floats(0.1, 5)
)
def test_sizes_at_a_spacing_are_those_that_numpy_computes_a_case(
    rows: list[tuple[int, float]], spacing: float
) -> None:
    size, own = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    expected = np.maximum((size * own / spacing).round(), 1).astype(int)
    found = Histogram.of(n * mm for n, mm in rows).mapped(lambda extent: max(round(extent / spacing), 1))
    assert round(found.median()) == int(np.median(expected).round()) and found.high == expected.max()


def test_what_is_no_number_is_counted_and_leaves_no_quantile() -> None:
    found = Histogram.of([1.0, math.nan, 3.0]).merged(Histogram.of([math.nan]))
    assert (found.n, found.nan, found.high) == (2, 2, 3.0)
    assert math.isnan(found.median()) and math.isnan(found.quantile(0.5))
    assert Histogram.of([math.inf, 1.0], 4).high == math.inf


def test_codes_are_counted_and_left_out() -> None:
    found = Histogram.of([1.0, 999.0, 2.0, 999.0])
    assert found.count(999.0) == 2 and found.without(999.0) == Histogram.of([2.0, 1.0])
    assert found.count(5.0) == 0 and found.without(5.0) == found


def test_what_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="different bins cannot be merged; found 53 and 10 binary digits"):
        Histogram.of([1.0]).merged(Histogram.of([1.0], 10))
    with pytest.raises(DataError, match="cannot be made finer"):
        Histogram.of([1.0], 10).rounded(20)
    with pytest.raises(DataError, match="1 to 53 binary digits"):
        Histogram.of([1.0], 0)
    with pytest.raises(DataError, match="no number of that rank"):
        Histogram().median()
    with pytest.raises(DataError, match="from 0 to 1"):
        Histogram.of([1.0]).quantile(1.5)
    sound = Histogram.of([1.0, 3.0], 10).json()
    for wrong in (
        {"bins": [3.0, 1.0]},
        {"bins": [1.0]},
        {"counts": [0, 2]},
        {"bins": [1.0, 1025.0]},
        {"digits": 54},
    ):
        with pytest.raises(DataError, match="not a histogram on fixed bins"):
            Histogram.parse({**sound, **wrong})
