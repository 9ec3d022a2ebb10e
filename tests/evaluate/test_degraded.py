"""Curves of worse images: where a loss is crossed, from where on a figure is worse, and what is said, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vesalius.core.errors import DataError, UnknownName, UsageError
from vesalius.core.interval import Interval
from vesalius.evaluate.degraded import BETTER, UNDECIDED, WORSE, Curve, Step, verdict, with_limits
from vesalius.evaluate.paired import Difference
from vesalius.verbs.degrade import asked_levels, levels_of, loss_of


def figure(value: float) -> Interval:
    return Interval(value, value - 0.05, value + 0.05, 20)


def curve(*values: float, better: str = "higher", verdicts: tuple[str, ...] = ()) -> Curve:
    told = verdicts or (UNDECIDED,) * len(values)
    steps = tuple(Step(5.0 * (k + 1), figure(v), None, told[k]) for k, v in enumerate(values))
    clean = figure(0.8 if better == "higher" else 2.0)
    return Curve("noise", "dice", "Dice", better, "%", 0.0, clean, steps)


def test_a_loss_is_crossed_on_the_line_between_two_amounts() -> None:
    found = with_limits(
        curve(0.78, 0.70, 0.40), 0.1, relative=True
    )  # 0.72 lies at three quarters between 5 and 10
    assert found.limit == pytest.approx(0.72) and found.crosses == pytest.approx(8.75)
    assert with_limits(curve(0.78, 0.70, 0.40), 0.3, relative=False).crosses == pytest.approx(
        10 + 5 * 0.2 / 0.3
    )
    first = with_limits(
        curve(0.40, 0.30), 0.1, relative=True
    )  # before the first amount: from the clean figure on
    assert first.crosses == pytest.approx(5 * 0.08 / 0.4)
    assert "reaches 0.720 at about 8.75" in found.sentence


def test_a_loss_that_is_not_reached_is_said_so() -> None:
    found = with_limits(curve(0.79, 0.78), 0.1, relative=True)
    assert found.crosses is None and "stays on the right side of 0.720 up to 10" in found.sentence


def test_an_error_crosses_upwards() -> None:
    found = with_limits(curve(2.1, 2.5, better="lower"), 0.1, relative=True)
    assert found.limit == pytest.approx(2.2) and found.crosses == pytest.approx(6.25)
    nobody_knows = with_limits(replace(curve(2.1), better=""), 0.1, relative=True)
    assert nobody_knows.limit is None and "no loss can be stated" in nobody_knows.sentence


def test_worse_from_is_the_first_of_a_run_up_to_the_last_amount() -> None:
    found = with_limits(
        curve(0.7, 0.7, 0.6, 0.5, verdicts=(WORSE, UNDECIDED, WORSE, WORSE)), 0.1, relative=True
    )
    assert found.worse_from == 15.0
    assert with_limits(curve(0.7, verdicts=(UNDECIDED,)), 0.1, relative=True).worse_from is None


def test_a_verdict_goes_by_the_interval_and_by_which_way_is_better() -> None:
    lower = Difference(0.8, 0.7, -0.1, -0.15, -0.05, 0.01, 20)
    assert verdict("Mask", "dice", lower) == WORSE
    assert verdict("Mask", "dice", replace(lower, high=0.01)) == UNDECIDED
    assert verdict("Value", "mae", lower) == BETTER
    assert verdict("Mask", "dice", None) == ""


def test_what_may_be_asked_for() -> None:
    assert loss_of("10%") == (0.1, True) and loss_of(0.05) == (0.05, False)
    for bad in ("much", "-1", "0%"):
        with pytest.raises(UsageError):
            loss_of(bad)
    assert asked_levels(["noise=10,2", "blur"]) == {"noise": [10, 2], "blur": []}
    with pytest.raises(UsageError):
        asked_levels(["noise=a"])
    levels = levels_of(asked_levels(["noise=10,2,0", "contrast"]))
    assert [x.words for x in levels] == ["noise-2", "noise-10", "contrast-70", "contrast-50", "contrast-30"]
    with pytest.raises(DataError, match="'gamma' lie on both sides of 1"):
        levels_of(asked_levels(["gamma=0.5,2"]))
    assert [x.words for x in levels_of(asked_levels(["gamma=0.5,1,0.8"]))] == ["gamma-0.8", "gamma-0.5"]
    with pytest.raises(UnknownName, match="unknown degradation 'nois'"):
        levels_of(["nois"])
