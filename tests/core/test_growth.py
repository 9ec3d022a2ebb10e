"""Growth: bounds of a change against hand-computed values, a scan of all ratios, and how often they hold in truth."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.growth import (
    DAYS,
    UNTOLD,
    Errors,
    Growth,
    Part,
    Reach,
    by_errors,
    by_opinions,
    by_promise,
    errors_of,
    spread_of,
)

T25 = 2.059538552753294  # Student's t of 25 degrees of freedom, 97.5 %, from tables


def limits(sd: float, n: int, **beside: object) -> dict[str, object]:
    ends = {"low": -1.96 * sd, "high": 1.96 * sd, "bias": 0.0}
    return {name: {"value": v, "n": n} for name, v in ends.items()} | beside


def growth(earlier: float, later: float, reach: Reach | None = None, **beside: object) -> Growth:
    return Growth("lesion", "volume", "ml", earlier, later, reach, **beside)  # type: ignore[arg-type]


def test_the_bounds_are_those_of_two_independent_errors() -> None:
    errors = errors_of(limits(2.0, 26))
    assert errors == Errors(pytest.approx(2.0), 26)
    found = by_errors(10.0, 14.0, Errors(2.0, 26))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((4 - T25 * 2 * 2**0.5, 4 + T25 * 2 * 2**0.5))
    assert found.least == pytest.approx(T25 * 2 * 2**0.5) and found.share == 0.95 and found.n == 26
    assert growth(10, 14, found).verdict == UNTOLD  # 4 ml are less than the 5.8 that could be told
    assert growth(10, 16, by_errors(10, 16, Errors(2.0, 26))).verdict == "grown"
    assert growth(16, 10, by_errors(16, 10, Errors(2.0, 26))).verdict == "shrunk"


def test_bounds_in_percent_are_fiellers_and_agree_with_those_of_the_difference() -> None:
    """Against a scan of all ratios: those that both measurements may have in truth."""
    for earlier, later in ((10.0, 14.0), (10.0, 18.0), (30.0, 20.0), (8.0, 8.0)):
        found = by_errors(earlier, later, Errors(1.0, 26, slope=0.05, smallest=2.0))
        assert found is not None
        ratios = np.linspace(0, 6, 600_001)
        sd = [1 + 0.05 * x for x in (earlier, later)]
        held = ratios[(later - ratios * earlier) ** 2 <= T25**2 * (sd[1] ** 2 + ratios**2 * sd[0] ** 2)]
        scanned = (100 * (held.min() - 1), 100 * (held.max() - 1))
        assert found.percent == pytest.approx(scanned, abs=0.01)
        assert found.holds_nothing == (scanned[0] <= 0 <= scanned[1])


def test_an_earlier_size_that_cannot_be_told_from_nothing_has_no_percent() -> None:
    found = by_errors(1.0, 9.0, Errors(2.0, 26))
    assert found is not None and found.percent == (None, None)
    assert growth(0, 9, found).percent is None and growth(1, 9, found).percent == 800


def test_too_few_test_cases_and_broken_limits_say_nothing() -> None:
    assert by_errors(1, 2, Errors(1.0, 4)) is None
    assert (
        errors_of(None) is None
        and errors_of({}) is None
        and errors_of({"low": {"value": None, "n": 9}}) is None
    )
    assert errors_of(limits(float("nan"), 9)) is None


def test_what_is_promised_of_both_visits_holds_together() -> None:
    found = by_promise((8.0, 12.0), (15.0, 21.0), 0.9, 60)
    assert (found.low, found.high, found.share) == (3.0, 13.0, pytest.approx(0.8))
    assert found.percent == pytest.approx((100 * (15 / 12 - 1), 100 * (21 / 8 - 1)))
    open_ended = by_promise((None, 12.0), (15.0, None), 0.9, 60)
    assert (open_ended.low, open_ended.high) == (3.0, None) and not open_ended.holds_nothing
    assert by_promise((8.0, 16.0), (15.0, 21.0), 0.9, 60).holds_nothing


def test_opinions_are_said_to_be_no_promise() -> None:
    found = by_opinions(10, 12, (0.3, 0.4), way="members", samples=5)
    assert (found.low, found.high) == pytest.approx((2 - 1.96 * 0.5, 2 + 1.96 * 0.5))
    assert "not calibrated" in found.says and found.by == "opinions"


@pytest.mark.parametrize("slope", [0.0, 0.12])
def test_no_change_is_called_one_in_few_more_than_one_of_twenty(slope: float) -> None:
    """Measured twice without any change: 40 test cases, sizes from 5 to 60 ml, errors that grow with size or not."""
    rng = np.random.default_rng(1)
    told = 0
    rounds = 400
    for _ in range(rounds):
        truth = rng.uniform(5, 60, 40)
        answers = truth + 1.5 + rng.normal(size=40) * (2.0 * (slope == 0) + slope * truth)
        spread = spread_of(answers.tolist(), truth.tolist())
        assert spread is not None
        errors = Errors(spread["base"], 40, spread["slope"], spread["smallest"])
        size = float(rng.uniform(5, 60))
        sd = 2.0 * (slope == 0) + slope * size
        one, two = size + 1.5 + rng.normal(size=2) * sd
        found = by_errors(one, two, errors)
        assert found is not None
        told += not found.holds_nothing
    assert told / rounds < 0.05 + 2.5 * (0.05 * 0.95 / rounds) ** 0.5, told / rounds
    assert told > 0


def test_the_spread_grows_as_the_errors_do_and_never_falls() -> None:
    """Bland and Altman's regression, against errors whose spread is known."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 100, 4000)
    found = spread_of((truth + rng.normal(size=4000) * (0.5 + 0.1 * truth)).tolist(), truth.tolist())
    assert found is not None
    assert found["slope"] == pytest.approx(0.1, rel=0.08) and found["base"] == pytest.approx(0.5, abs=0.25)
    falling = spread_of((truth + rng.normal(size=4000) * (12 - 0.1 * truth)).tolist(), truth.tolist())
    assert falling is not None and falling["slope"] == 0
    assert spread_of([1, 2], [1, 2]) is None
    assert Errors(0.0, 9, 0.1, smallest=5.0).sd(0.0) == pytest.approx(
        0.5
    )  # of nothing it is not known, and not 0


def test_what_is_new_is_only_so_where_it_can_be_told() -> None:
    sure = by_errors(0.0, 9.0, Errors(1.0, 26))
    assert (
        growth(0, 9, sure).verdict == "new"
        and growth(9, 0, by_errors(9, 0, Errors(1.0, 26))).verdict == "gone"
    )
    assert growth(0, 1, by_errors(0, 1, Errors(1.0, 26))).verdict == UNTOLD
    assert growth(0, 0).verdict == "absent" and growth(0, 9).verdict == "cannot be told"
    assert growth(1, 9, sure, fault="cut off").verdict == "cannot be told"
    assert growth(3, 3, None, same=True).verdict == "same"


def test_rates_are_a_day_a_month_and_a_year_and_need_time() -> None:
    found = growth(10, 20, by_errors(10, 20, Errors(1.0, 26)))
    assert found.rates(73.05)["year"] == pytest.approx(50) and found.percent_rates(73.05)[
        "day"
    ] == pytest.approx(100 / 73.05)
    assert set(found.rates(30)) == set(DAYS) and found.rates(None) == {} and found.rates(0) == {}
    assert found.doubling_days(90) == pytest.approx(90) and found.doubling_days(None) is None
    assert (
        growth(10, 10.5, by_errors(10, 10.5, Errors(1.0, 26))).doubling_days(90) is None
    )  # not told, so no time


def test_a_part_is_named_by_what_became_of_it() -> None:
    def became(earlier: float, later: float, count: tuple[int, int]) -> str:
        return Part("lesion", "ml", earlier, later, count, (0, 0, 0)).became

    assert [became(*x) for x in ((0, 1, (0, 1)), (1, 0, (1, 0)), (1, 2, (1, 1)), (2, 1, (1, 1)), (1, 1, (1, 1)))] == [
        "new", "gone", "larger", "smaller", "alike",
    ]  # fmt: skip
    assert became(3, 3, (2, 1)) == "merged" and became(3, 3, (1, 2)) == "fell apart"
